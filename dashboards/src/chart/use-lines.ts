// Draws the lines of a chart in the animation frame when data, window or width changed, and tells what was drawn.
import { useSignal } from '@preact/signals'
import type { Line } from '@telltale/client'
import { useEffect, useRef } from 'preact/hooks'
import { onTurn, requestFrame } from '../frame'
import { shownNow } from '../live'
import { drawingLastsMs, liveCover, steppedWindow, useOlder, type WidgetProps, whenVisible } from './held'
import { type DrawnLine, drawLine } from './lines'
import type { ChartLine } from './members'
import type { Ask, Older } from './older'
import type { PlotHandle } from './plot'
import { drawnAsRate, rateOf, shownFactor } from './shown'
import { tableOf } from './table'

const LEAST_COLUMNS = 50
const NOTHING: Ask = { select: [] }

export interface LinesProps extends WidgetProps {
  chartLines: readonly ChartLine[]
  /** The same series at an earlier time, drawn after their own lines. */
  before?: { ask: Ask }
}

interface Drawn {
  lines: readonly DrawnLine[]
  /** Those of the earlier time, in the same order. */
  earlier: readonly DrawnLine[]
}

export function useLines(
  props: LinesProps,
  plot: { current: PlotHandle | undefined },
  card: { current: HTMLElement | null },
): Drawn & { error: string } {
  const drawn = useSignal<Drawn>({ lines: [], earlier: [] })
  const error = useSignal('')
  const older = useOlder(props.ask, props.olders)
  const earlier = useOlder(props.before?.ask ?? NOTHING, props.olders)
  const now = useRef(props)
  now.current = props
  // Another range or other lines are drawn at once, also where no reading comes to ask for a frame.
  useEffect(requestFrame)
  useEffect(() => {
    const visible = whenVisible(card.current)
    let state = ''
    let shape = ''
    let drawnOn: PlotHandle | undefined
    let drawnAt = 0
    const stop = onTurn(() => {
      const handle = plot.current
      if (handle === undefined || !visible.now()) {
        older.rest()
        earlier.rest()
        return
      }
      const { range, watch, chartLines, before } = now.current
      const width = handle.width()
      const columns = Math.max(LEAST_COLUMNS, Math.round(width))
      const { from, to } = steppedWindow(range, width)
      const cover = liveCover(
        watch,
        chartLines.map(({ member }) => member.key),
      )
      if (cover === undefined) return
      older.want(from, to, cover, columns, shownNow())
      if (before !== undefined) earlier.want(from, to, cover, columns, shownNow())
      error.value = older.error === '' ? earlier.error : older.error
      const answers = [older.answered, earlier.answered, chartLines.length, width].join()
      const next = [watch.sub.id, watch.sub.version, from, to, answers].join()
      const asked = [range.kind === 'last' ? '' : from, from - to, answers].join()
      const soon = asked === shape && drawnOn === handle && performance.now() - drawnAt < drawingLastsMs(range, width)
      if (soon || (next === state && drawnOn === handle)) return
      const window = { from, to, columns }
      const lines = chartLines.map((line) => lineOf(now.current, line, older, window))
      const dashed = before === undefined ? [] : chartLines.map((line) => lineOf(now.current, line, earlier, window))
      const edges = now.current.ask.band ? chartLines.flatMap(({ member }) => edgesOf(older, member.key, window)) : []
      const table = tableOf([...lines, ...dashed, ...edges], lines.length)
      if (!handle.draw(table, from, to, older.knows(from, to, cover))) return
      state = next
      shape = asked
      drawnAt = performance.now()
      drawnOn = handle
      drawn.value = { lines, earlier: dashed }
    })
    return () => {
      visible.stop()
      stop()
    }
  }, [older, earlier])
  return { ...drawn.value, error: error.value }
}

const EMPTY = { length: 0, timeAt: () => Number.NaN, valueAt: () => Number.NaN }

function lineOf(
  { watch, ask }: LinesProps,
  { member, of }: ChartLine,
  older: Older,
  { from, to, columns }: { from: number; to: number; columns: number },
): DrawnLine {
  const ring = (older.meetsLive ? watch.sub.series.get(member.key)?.ring : undefined) ?? EMPTY
  const cover = (older.meetsLive ? liveCover(watch, [member.key]) : undefined) ?? Number.POSITIVE_INFINITY
  const found = older.line(member.key)
  const factor = shownFactor(of.unit, ask.buckets?.agg)
  const source = {
    older: factor === 1 ? found : { ...found, values: found.values.map((value) => value * factor) },
    ring,
    cover,
    counter: drawnAsRate(of, ask),
    rateFactor: rateOf(of.unit).factor,
    olderColumn: older.answer?.column ?? 0,
  }
  const known = knownUntil(older, from, cover, shownNow())
  return drawLine(known === undefined ? source : { ...source, known }, from, to, columns)
}

/** The lower and the upper edge of the band behind a line. */
function edgesOf(
  older: Older,
  key: string,
  { from, to, columns }: { from: number; to: number; columns: number },
): [DrawnLine, DrawnLine] {
  const edges = older.edges(key)
  const none = { times: [], values: [] }
  const edge = (line: Line) =>
    drawLine(
      { older: line, ring: EMPTY, cover: Number.POSITIVE_INFINITY, counter: false, olderColumn: 0 },
      from,
      to,
      columns,
    )
  return edges === undefined ? [none, none] : [edge(edges.low), edge(edges.high)]
}

/** Up to when all readings are held. What is summed up, or of another day, says nothing of silences at its end. */
function knownUntil(older: Older, from: number, cover: number, now: number): number | undefined {
  if (!older.meetsLive) return undefined
  if (cover <= from) return now
  const { answer } = older
  if (answer === undefined) return undefined
  const reached = Math.min(answer.to, answer.askedAt)
  return reached >= cover ? now : reached
}
