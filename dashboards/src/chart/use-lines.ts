// Draws the lines of a chart in the animation frame when data, window or width changed, and tells what was drawn.
import { useSignal } from '@preact/signals'
import { useEffect, useRef } from 'preact/hooks'
import { onTurn } from '../frame'
import { shownNow } from '../live'
import { coverOf } from './cover'
import { drawingLastsMs, steppedWindow, useOlder, type WidgetProps, whenVisible } from './held'
import { type DrawnLine, drawLine, tableOf } from './lines'
import type { Member } from './members'
import type { Ask, Older } from './older'
import type { PlotHandle } from './plot'

const LEAST_COLUMNS = 50
const NOTHING: Ask = { select: [] }

export interface LinesProps extends WidgetProps {
  members: readonly Member[]
  /** A rising counter is drawn as its rate. */
  counter: boolean
  /** The same series at an earlier time, drawn after their own lines. */
  before?: { ask: Ask }
}

export function useLines(
  props: LinesProps,
  plot: { current: PlotHandle | undefined },
  card: { current: HTMLElement | null },
): { lines: readonly DrawnLine[]; error: string } {
  const drawn = useSignal<readonly DrawnLine[]>([])
  const error = useSignal('')
  const older = useOlder(props.ask, props.olders)
  const earlier = useOlder(props.before?.ask ?? NOTHING, props.olders)
  const now = useRef(props)
  now.current = props
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
      const { range, watch, members, before } = now.current
      const width = handle.width()
      const columns = Math.max(LEAST_COLUMNS, Math.round(width))
      const { from, to } = steppedWindow(range, width)
      const cover = coverOf(
        watch.sub,
        members.map((member) => member.key),
      )
      older.want(from, to, cover, columns, shownNow())
      if (before !== undefined) earlier.want(from, to, cover, columns, shownNow())
      error.value = older.error === '' ? earlier.error : older.error
      const answers = [older.answer?.askedAt, earlier.answer?.askedAt, members.length, width].join()
      const next = [watch.sub.version, from, to, answers].join()
      const asked = [range.kind === 'last' ? '' : from, from - to, answers].join()
      const soon = asked === shape && drawnOn === handle && performance.now() - drawnAt < drawingLastsMs(range, width)
      if (soon || (next === state && drawnOn === handle)) return
      state = next
      shape = asked
      drawnAt = performance.now()
      drawnOn = handle
      const lines = members.map((member) => lineOf(now.current, member, older, from, to, columns))
      const dashed =
        before === undefined ? [] : members.map((member) => lineOf(now.current, member, earlier, from, to, columns))
      handle.draw(tableOf([...lines, ...dashed]), from, to)
      drawn.value = lines
    })
    return () => {
      visible.stop()
      stop()
    }
  }, [older, earlier])
  return { lines: drawn.value, error: error.value }
}

const EMPTY = { length: 0, timeAt: () => Number.NaN, valueAt: () => Number.NaN }

function lineOf(
  { watch, counter }: LinesProps,
  member: Member,
  older: Older,
  from: number,
  to: number,
  columns: number,
): DrawnLine {
  const ring = (older.meetsLive ? watch.sub.series.get(member.key)?.ring : undefined) ?? EMPTY
  const cover = older.meetsLive ? coverOf(watch.sub, [member.key]) : Number.POSITIVE_INFINITY
  const source = { older: older.line(member.key), ring, cover, counter, olderColumn: older.answer?.column ?? 0 }
  return drawLine(source, from, to, columns)
}
