// uPlot in a box: made once, given ready columns and a window, asked to draw only in the animation frame.
import { effect } from '@preact/signals'
import { useEffect, useRef } from 'preact/hooks'
import uPlot from 'uplot'
import { colour, colourVersion, lineColour } from '../theme'
import { asLocal, zone } from '../zone'
import { binarySteps, timeTicks, valueRange, valueTicks } from './axes'
import { type Change, gestures } from './gestures'
import type { Table } from './lines'
import { onceNear } from './near'

export interface PlotHandle {
  /** Width of the drawing area in CSS pixels; 0 before the first layout. */
  width(): number
  draw(table: Table, fromMs: number, toMs: number): void
  show(line: number, shown: boolean): void
}

export interface PlotProps {
  title: string
  unit: string
  lines: number
  /** As many lines again are drawn dashed behind, in the same colours. */
  dashed?: boolean
  /** Crosshairs of equal keys move together. */
  syncKey: string
  onHandle(handle: PlotHandle | undefined): void
  /** The time under the crosshair in ms. */
  onHover(time: number | undefined): void
  onZoom(fromMs: number, toMs: number): void
  /** A window that follows keys, wheel or fingers. */
  onMove(change: Change): void
}

const HEIGHT = 176
/** Charts in one column keep one left edge unless their ticks need more. */
const AXIS_LEAST = 58
const FONT = '11px system-ui, sans-serif'

export function Plot(props: PlotProps) {
  const box = useRef<HTMLDivElement>(null)
  const latest = useRef(props)
  latest.current = props

  useEffect(() => {
    const element = box.current
    if (element === null) return
    // A host has hundreds of metrics: charts that nobody sees yet are not made.
    let made: ReturnType<typeof make> | undefined
    const unwatch = onceNear(element, () => {
      made = make(element, latest)
      latest.current.onHandle(made.handle)
    })
    return () => {
      unwatch()
      latest.current.onHandle(undefined)
      made?.destroy()
    }
  }, [props.unit, props.lines, props.syncKey, props.dashed])

  // A chart can be walked with the keys: it takes the focus, and says how.
  return (
    <div
      class="plot"
      ref={box}
      role="application"
      // biome-ignore lint/a11y/noNoninteractiveTabindex: keys move and zoom it, as an application does.
      tabIndex={0}
      aria-label={`Chart of ${props.title}. Arrow keys move in time, plus and minus zoom.`}
    />
  )
}

function make(element: HTMLDivElement, latest: { current: PlotProps }) {
  let lonely: number[][] = []
  let window: [number, number] = [0, 1]
  let drawn = false
  let hovered: number | undefined
  const { unit, syncKey, dashed = false } = latest.current
  const own = latest.current.lines
  const lines = dashed ? own * 2 : own
  const plot = new uPlot(
    {
      width: Math.max(200, element.clientWidth),
      height: HEIGHT,
      padding: [8, 24, 0, 0],
      legend: { show: false },
      tzDate: (seconds) => asLocal(seconds * 1000),
      scales: { x: { time: true, range: () => window }, y: { range: (_, low, high) => valueRange(low, high) } },
      cursor: {
        sync: { key: syncKey },
        drag: { x: true, y: false, setScale: false },
        points: { size: 6 },
      },
      axes: [
        {
          stroke: () => colour('--ink-3'),
          font: FONT,
          size: 22,
          gap: 4,
          space: 52,
          grid: { show: false },
          ticks: { show: false },
          values: (_, splits, __, ___, step) => (drawn ? timeTicks(splits, step) : splits.map(() => '')),
        },
        {
          stroke: () => colour('--ink-3'),
          font: FONT,
          gap: 6,
          space: 36,
          size: (_, values) => Math.max(AXIS_LEAST, ...(values ?? []).map((text) => 16 + 6.4 * text.length)),
          grid: { stroke: () => colour('--grid'), width: 1 },
          ticks: { show: false },
          values: (u, splits) => (u.data[0].length === 0 ? splits.map(() => '') : valueTicks(splits, unit)),
          ...(unit === 'B' || unit === 'B/s' ? { incrs: binarySteps() } : {}),
        },
      ],
      series: [
        {},
        ...Array.from({ length: lines }, (_, i) => ({
          stroke: () => lineColour(i % own),
          width: i < own ? 1.5 : 1,
          ...(i < own ? {} : { dash: [4, 4], alpha: 0.7 }),
          ...(lines === 1 ? { fill: () => colour('--line-fill') } : {}),
          points: { size: 5, fill: () => lineColour(i % own), filter: () => lonely[i] ?? [] },
        })),
      ],
      hooks: {
        setCursor: [
          (u) => {
            const left = u.cursor.left ?? -1
            const time = left < 0 ? undefined : u.posToVal(left, 'x') * 1000
            if (time === hovered) return
            hovered = time
            latest.current.onHover(time)
          },
        ],
        setSelect: [
          (u) => {
            const { left, width } = u.select
            if (width < 4) return
            const from = u.posToVal(left, 'x') * 1000
            const to = u.posToVal(left + width, 'x') * 1000
            u.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false)
            latest.current.onZoom(from, to)
          },
        ],
      },
    },
    [[], ...Array.from({ length: lines }, () => [])] as unknown as uPlot.AlignedData,
    element,
  )
  const resized = new ResizeObserver(() => {
    const width = element.clientWidth
    if (width > 0 && width !== plot.width) plot.setSize({ width, height: HEIGHT })
  })
  resized.observe(element)
  const uncolour = effect(() => {
    colourVersion.value
    zone.value
    plot.redraw(false)
  })
  const still = gestures(element, {
    place: (clientX) => {
      const { left, width } = plot.over.getBoundingClientRect()
      return Math.min(1, Math.max(0, (clientX - left) / Math.max(1, width)))
    },
    onMove: (change) => latest.current.onMove(change),
  })
  const handle: PlotHandle = {
    width: () => plot.bbox.width / devicePixelRatio,
    draw: (table, fromMs, toMs) => {
      drawn = true
      lonely = table.lonely
      window = [fromMs / 1000, toMs / 1000]
      element.toggleAttribute('data-empty', table.data[0].length === 0)
      plot.setData(table.data as uPlot.AlignedData)
    },
    show: (line, shown) => plot.setSeries(line + 1, { show: shown }),
  }
  return {
    handle,
    destroy: () => {
      still()
      uncolour()
      resized.disconnect()
      plot.destroy()
    },
  }
}
