// What uPlot is told once, when a chart is made: scales, axes and lines. What changes later it asks of `Look`.
import type uPlot from 'uplot'
import { colour, lineColour } from '../theme'
import { asLocal } from '../zone'
import { stepsOf, timeSpace, timeTicks, valueRange, valueTicks } from './axes'
import type { Gap } from './lines'
import { markPlace, type Table } from './table'

export const HEIGHT = 176
/** Charts in one column keep one left edge unless their ticks need more. */
const AXIS_LEAST = 58
/** Half of the longest usual tick of time, `Nov 2026`. */
const RIGHT_ROOM = 28
const FONT = '11px system-ui, sans-serif'
const RIGHT = 'right'

/** What the chart is made of. */
export interface Build {
  unit: string
  /** Lines from place `from` on are measured on an axis of their own. */
  right: { unit: string; from: number } | undefined
  /** How many lines, without the dashed ones. */
  lines: number
  dashed: boolean
  bands: boolean
  syncKey: string
}

/** What was drawn last. */
export interface Look {
  isNear(): boolean
  table: Table
  window: [number, number]
  drawn: boolean
  /** The crosshair is put where a timeline has it: no news for others. */
  follows?: boolean
}

export function optionsOf(build: Build, look: Look, width: number): uPlot.Options {
  const { unit, right } = build
  return {
    width,
    height: HEIGHT,
    padding: [8, right === undefined ? RIGHT_ROOM : 0, 0, 0],
    legend: { show: false },
    tzDate: (seconds) => asLocal(seconds * 1000),
    scales: {
      x: { time: true, range: () => look.window },
      y: { range: (_, low, high) => valueRange(low, high) },
      ...(right === undefined
        ? {}
        : { [RIGHT]: { range: (_: uPlot, low: number, high: number) => valueRange(low, high) } }),
    },
    cursor: {
      sync: { key: build.syncKey, filters: { pub: () => true, sub: (event, _, x) => isTold(event, x, look) } },
      drag: { x: true, y: false, setScale: false },
      points: { size: 6 },
      dataIdx: (_, series, place, seconds) => {
        if (series === 0) return place
        // uPlot takes null as no mark, though its types do not say so. Edges of bands have none.
        return (
          series > build.lines * (1 + Number(build.dashed)) ? null : markPlace(look.table, series - 1, seconds)
        ) as number
      },
    },
    axes: [timeAxis(look), valueAxis(unit, 'y'), ...(right === undefined ? [] : [valueAxis(right.unit, RIGHT)])],
    series: [{}, ...linesOf(build, look)],
    bands: bandsOf(build),
  }
}

/** A chart that nobody sees need not move its crosshair, but is told when it goes. */
function isTold(event: string, x: number, { isNear }: Look): boolean {
  return event !== 'mousemove' || x < 0 || isNear()
}

/** Lines, as many dashed ones, and two edges of a band for each. */
export function columnsOf({ lines, dashed, bands }: Build): number {
  return lines * (1 + Number(dashed) + 2 * Number(bands))
}

function timeAxis(look: Look): uPlot.Axis {
  return {
    stroke: () => colour('--ink-3'),
    font: FONT,
    // Below the lowest tick of values, which is as wide as it is.
    size: 25,
    gap: 8,
    space: (_, __, from, to, pixels) => timeSpace(to - from, pixels),
    grid: { show: false },
    ticks: { show: false },
    values: (_, splits, __, ___, step) => (look.drawn ? timeTicks(splits, step) : splits.map(() => '')),
  }
}

function valueAxis(unit: string, scale: string): uPlot.Axis {
  const isRight = scale === RIGHT
  return {
    scale,
    side: isRight ? 1 : 3,
    stroke: () => colour('--ink-3'),
    font: FONT,
    gap: 6,
    space: 36,
    size: (_, values) => Math.max(AXIS_LEAST, ...(values ?? []).map((text) => 16 + 6.4 * text.length)),
    // One grid is enough: two that do not meet cannot be read.
    grid: isRight ? { show: false } : { stroke: () => colour('--grid'), width: 1 },
    ticks: { show: false },
    values: (u, splits) => (u.data[0].length === 0 ? splits.map(() => '') : valueTicks(splits, unit)),
    incrs: stepsOf(unit),
  }
}

function linesOf(build: Build, look: Look): uPlot.Series[] {
  const { lines, dashed, bands, right } = build
  const scale = (line: number) => (right !== undefined && line >= right.from ? RIGHT : 'y')
  const fill = lines === 1 && !dashed && !bands ? { fill: () => colour('--line-fill') } : {}
  return Array.from({ length: columnsOf(build) }, (_, i): uPlot.Series => {
    const line = i % lines
    const first = lines * (1 + Number(dashed))
    if (i >= first) return { scale: scale(Math.floor((i - first) / 2)), width: 0, points: { show: false } }
    return {
      scale: scale(line),
      stroke: () => lineColour(line),
      ...(i < lines ? { width: 1.5 } : { width: 1, dash: [4, 4], alpha: 0.7 }),
      ...fill,
      points: { size: 5, fill: () => lineColour(line), filter: () => look.table.lonely[i] ?? [] },
    }
  })
}

/** uPlot counts its series from the time on. */
function bandsOf({ lines, dashed, bands }: Build): uPlot.Band[] {
  const first = 1 + lines * (1 + Number(dashed))
  return Array.from({ length: bands ? lines : 0 }, (_, line) => ({
    series: [first + 2 * line + 1, first + 2 * line],
    fill: () => faint(lineColour(line)),
  }))
}

const BAND_ALPHA = 0.16

/** As the browser resolves a colour: `rgb(1, 2, 3)`. */
function faint(resolved: string): string {
  return resolved.replace(/^rgb\((.*)\)$/, `rgba($1, ${BAND_ALPHA})`)
}

const WORD = 'no data'
/** Narrower ones have no room for it. */
const WORD_PIXELS = 64

/** Silences behind the lines: a place of their own, so that no one takes them for a steady value. */
export function drawGaps(plot: uPlot, gaps: readonly Gap[]): void {
  const { ctx, bbox } = plot
  ctx.save()
  ctx.font = FONT.replace('11', String(Math.round(11 * devicePixelRatio)))
  ctx.textAlign = 'center'
  ctx.textBaseline = 'middle'
  for (const gap of gaps) {
    const left = Math.max(bbox.left, plot.valToPos(gap.from / 1000, 'x', true))
    const right = Math.min(bbox.left + bbox.width, plot.valToPos(gap.to / 1000, 'x', true))
    if (right <= left) continue
    ctx.fillStyle = colour('--gap')
    ctx.fillRect(left, bbox.top, right - left, bbox.height)
    if (right - left < WORD_PIXELS * devicePixelRatio) continue
    const [x, y] = [(left + right) / 2, bbox.top + bbox.height / 2]
    // Not crossed by a line of the grid.
    const [wide, high] = [ctx.measureText(WORD).width + 8 * devicePixelRatio, 16 * devicePixelRatio]
    ctx.fillStyle = colour('--card')
    ctx.fillRect(x - wide / 2, y - high / 2, wide, high)
    ctx.fillStyle = colour('--ink-3')
    ctx.fillText(WORD, x, y)
  }
  ctx.restore()
}
