// History for the part of a chart that the live rings do not cover: asked for when it is missing, too coarse or stale. The
// old answer stays until the new one is there.
import { type Line, type SeriesDescription, selectorOf, seriesKey, type Value } from '@telltale/client'
import { ApiError, fetchHistory } from '../api'
import { requestFrame } from '../frame'

export interface Answer {
  from: number
  to: number
  /** Width of a column in ms. */
  column: number
  askedAt: number
  series: Map<string, { description: SeriesDescription; times: number[]; values: Value[] }>
}

const RETRY_MS = 3_000

export class Older {
  answer: Answer | undefined
  error = ''
  busy = false
  #stale = false
  #abort: AbortController | undefined
  #retryAt = 0
  readonly #select: string

  constructor(device: string, metric: string) {
    this.#select = selectorOf({ device, metric })
  }

  /** Late or merged readings changed what history says of this time. */
  touch(range: { from: number; to: number }): void {
    const { answer } = this
    if (this.busy || (answer !== undefined && range.from <= answer.to && range.to >= answer.from)) this.#stale = true
  }

  /** Sees to it that [from, to] is there in `columns` columns; `cover` is where the live rings begin. */
  want(from: number, to: number, cover: number, columns: number, now: number): void {
    if (from >= cover || this.busy || now < this.#retryAt || columns < 1) return
    const column = (to - from) / columns
    const got = this.answer
    const fits =
      got !== undefined &&
      !this.#stale &&
      got.from <= from &&
      got.to >= Math.min(to, cover) &&
      Math.abs(Math.log2(got.column / column)) < 0.5 &&
      now - got.askedAt < Math.max(60_000, (to - from) / 200)
    if (!fits) void this.#ask(from, to, columns, now)
  }

  stop(): void {
    this.#abort?.abort()
  }

  /** The points of one series as numbers; what is not a number is left out. */
  line(key: string): Line {
    const found = this.answer?.series.get(key)
    if (found === undefined) return { times: [], values: [] }
    const values = found.values.map((v) => (typeof v === 'number' ? v : Number(v === true)))
    return { times: found.times, values }
  }

  async #ask(from: number, to: number, columns: number, now: number): Promise<void> {
    this.busy = true
    this.#stale = false
    this.#abort = new AbortController()
    // A little more on the left, so that the line reaches the edge and a sliding window does not ask again at once.
    const margin = (to - from) * 0.02
    const column = (to - from) / columns
    const query = { select: this.#select, from: from - margin, to, points: Math.round(columns * 1.02) }
    try {
      const found = await fetchHistory(query, this.#abort.signal)
      const series: Answer['series'] = new Map()
      for (const one of found) {
        const times = one.points.map((p) => p[0])
        series.set(seriesKey(one), { description: one, times, values: one.points.map((p) => p[1]) })
      }
      this.answer = { from: query.from, to, column, askedAt: now, series }
      this.error = ''
    } catch (error) {
      if (this.#abort.signal.aborted) return
      this.#retryAt = now + RETRY_MS
      this.error = error instanceof ApiError ? error.message : 'History could not be read.'
    } finally {
      this.busy = false
      requestFrame()
    }
  }
}
