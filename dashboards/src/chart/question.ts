// What history is asked for a chart, from what the chart shows: pure.
import { BAND, type HistoryQuery, type Weekday } from '../api'
import { type Earlier, shiftedWindow } from './earlier'

/** Which series, and how their readings are summed up. */
export interface Ask {
  select: readonly string[]
  /** Buckets of this length, each with one aggregate. Without: as many readings as can be seen, the lowest and highest of each pixel. */
  buckets?: { every: string; agg: string; tz: string; week?: Weekday }
  /** With the lowest and highest of each bucket, where buckets are means. */
  band?: boolean
  /** So many days earlier, shown as if it were now. */
  earlier?: Earlier
}

/** The question for a window, and the window that its answer covers. */
export function historyQuery(ask: Ask, from: number, to: number, columns: number) {
  // A little more on the left, so that the line reaches the edge and a sliding window does not ask again at once.
  const margin = (to - from) * 0.02
  const window = { from: from - margin, to }
  const asked = { select: ask.select, ...askedWindow(ask, window.from, window.to) }
  const points = Math.round(columns * 1.02)
  // An earlier day ends where it is over.
  const drawn = ask.earlier === undefined ? wholeColumns(asked.from, asked.to, points) : { ...asked, points }
  const query: HistoryQuery =
    ask.buckets === undefined
      ? { ...asked, ...drawn }
      : { ...asked, from: asked.from - margin, buckets: ask.band ? { ...ask.buckets, agg: BAND } : ask.buckets }
  return { query, window }
}

/** What the hub sums readings up by, in ms. */
const SUMMED = [3_600_000, 900_000, 60_000]
/** A column of so many is cut shorter by a fifth at most. */
const WORTH = 4

/**
 * Columns that begin and end with what the hub summed up are answered from that alone; others have it read what their edges cut. So long
 * columns are cut a little shorter, and begin on a multiple of their length, where they stay while a window slides.
 */
export function wholeColumns(from: number, to: number, points: number): { from: number; to: number; points: number } {
  const column = (to - from) / points
  const unit = SUMMED.find((unit) => column >= WORTH * unit)
  if (unit === undefined) return { from, to, points }
  const whole = Math.floor(column / unit) * unit
  const start = Math.floor(from / whole) * whole
  const count = Math.ceil((to - start) / whole)
  return { from: start, to: start + count * whole, points: count }
}

/** The window of the history that is shown in this one. */
export function askedWindow({ earlier }: Ask, from: number, to: number): { from: number; to: number } {
  return earlier === undefined ? { from, to } : shiftedWindow(from, to, earlier)
}

/** Whether columns of these widths look alike. */
export function isNear(a: number, b: number): boolean {
  return Math.abs(Math.log2(a / b)) < 0.5
}
