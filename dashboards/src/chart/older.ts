// History for the part of a chart that the live rings do not cover: asked for when it is missing, too coarse or stale. The
// old answer stays until the new one is there.
import { type Line, type SeriesDescription, seriesKey, type Value } from '@telltale/client'
import { BAND, fetchHistory, type HistoryQuery, type Weekday } from '../api'
import { requestFrame } from '../frame'
import { failureText } from '../rest'
import { type Earlier, shifted, shiftedPoints, shiftedWindow } from './earlier'

/** What is asked for: which series, and how their readings are summed up. */
export interface Ask {
  select: readonly string[]
  /** Buckets of this length, each with one aggregate. Without: as many readings as can be seen, the lowest and highest of each pixel. */
  buckets?: { every: string; agg: string; tz: string; week?: Weekday }
  /** With the lowest and highest of each bucket, where buckets are means. */
  band?: boolean
  /** So many days earlier, shown as if it were now. */
  earlier?: Earlier
}

export interface Answer {
  from: number
  to: number
  /** Width of a column in ms. */
  column: number
  askedAt: number
  series: Map<string, AnswerSeries>
}

interface AnswerSeries {
  description: SeriesDescription
  times: number[]
  values: Value[]
  edges: (readonly [number, number])[]
}

const RETRY_MS = 3_000
/** What late readings made stale is asked for again no sooner than this, nor than so many times what the answer took: they come in
 * crowds, and the last of them is asked for too. */
const STALE_MS = 1_000
const STALE_SHARE = 5
/** A question that nobody waits for any more, since the window went elsewhere, is given up after this. */
const ABANDON_MS = 250
/** What no live ring covers is asked for again this often while time passes, or more rarely when nobody would see it. */
const SLIDING_MS = 1_000
const SLIDING_MOST_MS = 60_000

export class Older {
  answer: Answer | undefined
  /** Rises with each answer. */
  answered = 0
  error = ''
  /** The rings hold all that is drawn, or nothing is. */
  rests = false
  #asking: Asking | undefined
  #stale = false
  #staleNotBefore = Number.NEGATIVE_INFINITY
  #notBefore = 0
  readonly #ask: Ask
  readonly #clock: () => number

  /**
   * What was known of other series that were asked for alike, or of some of these, is shown until the answer is there. The clock of
   * pauses, in ms, goes on where the time that is shown stands still since the connection is gone.
   */
  constructor(ask: Ask, before?: Older, clock = () => performance.now()) {
    this.#ask = ask
    this.#clock = clock
    if (before?.answer === undefined || !isAlike(ask, before.#ask)) return
    this.answer = before.answer
    this.#stale = true
  }

  /** Whether live readings go on where this ends: not when readings are summed up, or of another time. */
  get meetsLive(): boolean {
    return this.#ask.buckets === undefined && this.#ask.earlier === undefined
  }

  get busy(): boolean {
    return this.#asking !== undefined
  }

  /** Nothing is drawn now. */
  rest(): void {
    this.rests = true
  }

  /** Late or merged readings changed what history says of this time. */
  touch(range: { from: number; to: number }): void {
    const { answer } = this
    const told = answer === undefined ? undefined : askedWindow(this.#ask, answer.from, answer.to)
    if (this.busy || (told !== undefined && range.from <= told.to && range.to >= told.from)) this.#stale = true
  }

  /** Sees to it that [from, to] is there in `columns` columns; `cover` is where the live rings begin. */
  want(from: number, to: number, cover: number, columns: number, now: number): void {
    this.rests = this.meetsLive && from >= cover
    if (this.rests) return
    // The turn between a comparison's being chosen and its having its own history: nothing is named yet.
    if (this.#ask.select.length === 0) return
    if (this.#clock() < this.#notBefore || columns < 1) return
    const column = (to - from) / columns
    if (this.#asking !== undefined) {
      if (isAwaited(this.#asking, from, to, column, this.#clock())) return
      this.#stale ||= this.#asking.wasStale
      this.stop()
    }
    if (!this.#fits(from, to, cover, column, now)) void this.#fetch(from, to, columns, now)
  }

  #fits(from: number, to: number, cover: number, column: number, now: number): boolean {
    const got = this.answer
    if (got === undefined || got.from > from) return false
    if (this.#stale && this.#clock() >= this.#staleNotBefore) return false
    const lasts = Math.min(SLIDING_MOST_MS, Math.max(SLIDING_MS, (to - from) / 200))
    const wanted = Math.min(to, this.#known(now))
    // Where the rings begin before that, the answer must reach them; else it may be a little behind.
    const reaches =
      Math.min(got.to, this.#known(got.askedAt)) >= (this.meetsLive && cover < wanted ? cover : wanted - lasts)
    if (!this.meetsLive) return reaches && (this.#ask.buckets !== undefined || near(got.column, column))
    return reaches && near(got.column, column) && now - got.askedAt < Math.max(60_000, (to - from) / 200)
  }

  /** Whether what was in [from, to] before the live rings has been told, but for the newest of a window that slides. */
  knows(from: number, to: number, cover: number): boolean {
    if (this.rests) return true
    const got = this.answered === 0 ? undefined : this.answer
    const end = Math.min(to, this.meetsLive ? cover : to)
    return got !== undefined && got.from <= from && got.to >= end - (to - from) / 10
  }

  /** Up to where there are readings at a time; of an earlier day they are shown later. */
  #known(time: number): number {
    const { earlier } = this.#ask
    return earlier === undefined ? time : shifted(time, earlier.days, earlier.zone)
  }

  stop(): void {
    this.#asking?.abort.abort()
    this.#asking = undefined
  }

  /** The points of one series as numbers; what is not a number is left out. */
  line(key: string): Line {
    const found = this.answer?.series.get(key)
    if (found === undefined) return { times: [], values: [] }
    const values = found.values.map((v) => (typeof v === 'number' ? v : Number(v === true)))
    return { times: found.times, values }
  }

  /** The lowest and the highest of each point of a series; undefined where they were not asked for. */
  edges(key: string): { low: Line; high: Line } | undefined {
    const found = this.answer?.series.get(key)
    if (found === undefined || found.edges.length !== found.times.length) return undefined
    const of = (i: 0 | 1): Line => ({ times: found.times, values: found.edges.map((pair) => pair[i]) })
    return { low: of(0), high: of(1) }
  }

  async #fetch(from: number, to: number, columns: number, now: number): Promise<void> {
    const column = (to - from) / columns
    const wasStale = this.#stale
    const asking = { from, to, column, wasStale, since: this.#clock(), abort: new AbortController() }
    this.#asking = asking
    this.#stale = false
    const { query, window } = historyQuery(this.#ask, from, to, columns)
    const { earlier } = this.#ask
    try {
      const found = await fetchHistory(query, asking.abort.signal)
      if (asking.abort.signal.aborted) return
      const series: Answer['series'] = new Map()
      for (const one of found) {
        const points = earlier === undefined ? one.points : shiftedPoints(one.points, earlier)
        const [times, values] = [points.map((p) => p[0]), points.map((p) => p[1])]
        series.set(seriesKey(one), { description: one, times, values, edges: one.edges })
      }
      this.answer = { ...window, column, askedAt: now, series }
      this.answered += 1
      this.#staleNotBefore = asking.since + Math.max(STALE_MS, STALE_SHARE * (this.#clock() - asking.since))
      this.error = ''
      // What slides without rings is not asked for more often than a look is worth.
      this.#notBefore = this.meetsLive ? 0 : asking.since + SLIDING_MS
    } catch (error) {
      if (asking.abort.signal.aborted) return
      this.#stale = true
      this.#notBefore = this.#clock() + RETRY_MS
      this.error = failureText(error, 'History could not be read.')
    } finally {
      if (this.#asking === asking) this.#asking = undefined
      requestFrame()
    }
  }
}

/** Whether all but the series is the same. */
function isAlike(a: Ask, b: Ask): boolean {
  return JSON.stringify({ ...a, select: [] }) === JSON.stringify({ ...b, select: [] })
}

interface Asking {
  from: number
  to: number
  column: number
  wasStale: boolean
  since: number
  abort: AbortController
}

/** Whether the answer on its way is still what is wanted, or it was asked for only now. */
function isAwaited(asking: Asking, from: number, to: number, column: number, now: number): boolean {
  const far = (to - from) / 4
  const fits = near(asking.column, column) && Math.abs(asking.from - from) < far && Math.abs(asking.to - to) < far
  return fits || now - asking.since < ABANDON_MS
}

function near(a: number, b: number): boolean {
  return Math.abs(Math.log2(a / b)) < 0.5
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
function askedWindow({ earlier }: Ask, from: number, to: number): { from: number; to: number } {
  return earlier === undefined ? { from, to } : shiftedWindow(from, to, earlier)
}
