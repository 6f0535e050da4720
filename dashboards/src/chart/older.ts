// History for the part of a chart that the live rings do not cover: asked for when it is missing, too coarse or stale. The
// old answer stays until the new one is there. `question` has what is asked, `answer` what was told.
import type { Line } from '@telltale/client'
import { fetchHistory } from '../api'
import { requestFrame } from '../frame'
import { failureText } from '../rest'
import { type Answer, answerSeries } from './answer'
import { shifted } from './earlier'
import { type Ask, askedWindow, historyQuery, isNear } from './question'

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

const NOTHING: Line = { times: [], values: [] }

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

  /** Nobody sees it any more: what is on its way is given up, since who scrolls past a hundred charts waits for the last of them. */
  leave(): void {
    this.rest()
    this.#giveUp()
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
      this.#giveUp()
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
    if (!this.meetsLive) return reaches && (this.#ask.buckets !== undefined || isNear(got.column, column))
    return reaches && isNear(got.column, column) && now - got.askedAt < Math.max(60_000, (to - from) / 200)
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

  /** What was stale when it was asked for still is. */
  #giveUp(): void {
    this.#stale ||= this.#asking?.wasStale ?? false
    this.stop()
  }

  stop(): void {
    this.#asking?.abort.abort()
    this.#asking = undefined
  }

  /** The points of one series as numbers; what is not a number is left out. */
  line(key: string): Line {
    return this.answer?.series.get(key)?.line ?? NOTHING
  }

  /** The lowest and the highest of each point of a series; undefined where they were not asked for. */
  edges(key: string): { low: Line; high: Line } | undefined {
    return this.answer?.series.get(key)?.edges
  }

  async #fetch(from: number, to: number, columns: number, now: number): Promise<void> {
    const column = (to - from) / columns
    const asking = { from, to, column, wasStale: this.#stale, since: this.#clock(), abort: new AbortController() }
    this.#asking = asking
    this.#stale = false
    const { query, window } = historyQuery(this.#ask, from, to, columns)
    try {
      const found = await fetchHistory(query, asking.abort.signal)
      if (asking.abort.signal.aborted) return
      this.#take({ ...window, column, askedAt: now, series: answerSeries(found, this.#ask.earlier) }, asking.since)
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

  #take(answer: Answer, since: number): void {
    this.answer = answer
    this.answered += 1
    this.error = ''
    this.#staleNotBefore = since + Math.max(STALE_MS, STALE_SHARE * (this.#clock() - since))
    // What slides without rings is not asked for more often than a look is worth.
    this.#notBefore = this.meetsLive ? 0 : since + SLIDING_MS
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
  const fits = isNear(asking.column, column) && Math.abs(asking.from - from) < far && Math.abs(asking.to - to) < far
  return fits || now - asking.since < ABANDON_MS
}
