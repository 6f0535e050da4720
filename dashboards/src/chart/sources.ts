// Where the lines of a chart come from: history, and the live ring behind it.
import type { Line } from '@telltale/client'
import { shownNow } from '../live'
import { liveCover, type WidgetProps } from './held'
import { type DrawnLine, drawLine } from './lines'
import type { ChartLine } from './members'
import type { Older } from './older'
import { drawnAsRate, rateOf, shownFactor } from './shown'

/** What is drawn of time, in so many columns. */
export interface Window {
  from: number
  to: number
  columns: number
}

const EMPTY = { length: 0, timeAt: () => Number.NaN, valueAt: () => Number.NaN }

export function lineOf(
  { watch, ask }: Pick<WidgetProps, 'watch' | 'ask'>,
  { member, of }: ChartLine,
  older: Older,
  { from, to, columns }: Window,
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
export function edgesOf(older: Older, key: string, { from, to, columns }: Window): [DrawnLine, DrawnLine] {
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
