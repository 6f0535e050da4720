// The last known values of what a page shows: asked of the hub when the page opens, again when that failed, and when the hub
// says that something before the live rings changed. Of what changed before a live subscription began nothing is said, so they
// are also asked for now and then: a value that was deleted is not shown for ever. Nothing is asked again while the page is hidden.
import { type Signal, signal } from '@preact/signals'
import { seriesKey } from '@telltale/client'
import type { LastValue } from '../api'
import { afterShown } from '../hidden'
import { ApiError, failureText } from '../rest'

/** After a failure; doubled with each that follows, up to the longest. */
const RETRY_MS = 3_000
const RETRY_MOST_MS = 60_000
/** Late readings come in crowds: the last of them is asked for too, but no sooner than this after the one before. */
const AGAIN_MS = 5_000
/** Now and then: for so many series, and in proportion for more. */
const REFRESH_MS = 30_000
const REFRESH_SERIES = 500

export type LastByKey = ReadonlyMap<string, LastValue>

export class LastValues {
  /** By the keys of the series; undefined until the first answer or failure. */
  readonly values: Signal<LastByKey | undefined> = signal(undefined)
  readonly error = signal('')
  readonly #fetch: (signal: AbortSignal) => Promise<readonly LastValue[]>
  /** Nobody wants them any more. */
  readonly #end = new AbortController()
  /** Calls off what is to be asked at `#due`. */
  #callOff: (() => void) | undefined
  #due = 0
  #askedAt = Number.NEGATIVE_INFINITY
  #busy = false
  #wanted = false
  #failures = 0

  constructor(fetch: (signal: AbortSignal) => Promise<readonly LastValue[]>) {
    this.#fetch = fetch
  }

  /** Asks now; while an answer is awaited, once more after it. */
  ask(): void {
    this.#callOff?.()
    this.#callOff = undefined
    if (this.#busy) this.#wanted = true
    else if (!this.#end.signal.aborted) void this.#run()
  }

  /** The hub changed something of this time. What is known of later times alone stands. */
  touch(range: { to: number }): void {
    const known = [...(this.values.peek()?.values() ?? [])]
    if (known.length > 0 && !known.some(({ time }) => time <= range.to)) return
    if (this.#busy) this.#wanted = true
    else this.#schedule(this.#restMs())
  }

  stop(): void {
    this.#end.abort()
    this.#callOff?.()
  }

  async #run(): Promise<void> {
    this.#busy = true
    this.#wanted = false
    this.#askedAt = performance.now()
    try {
      const found = await this.#fetch(this.#end.signal)
      this.values.value = new Map(found.map((one) => [seriesKey(one), one]))
      this.error.value = ''
      this.#failures = 0
      this.#schedule(REFRESH_MS * Math.max(1, found.length / REFRESH_SERIES))
    } catch (error) {
      if (this.#end.signal.aborted) return
      // What was known stays; live values are shown without it.
      this.values.value ??= new Map()
      this.error.value = failureText(error, 'The last values could not be read.')
      if (mayPass(error)) this.#schedule(Math.min(RETRY_MOST_MS, RETRY_MS * 2 ** this.#failures))
      this.#failures += 1
    }
    this.#busy = false
    if (this.#wanted) this.#schedule(this.#restMs())
  }

  #restMs(): number {
    return Math.max(0, this.#askedAt + AGAIN_MS - performance.now())
  }

  /** Asks after so long, or sooner where that is said already. */
  #schedule(ms: number): void {
    const due = performance.now() + ms
    if (this.#end.signal.aborted || (this.#callOff !== undefined && this.#due <= due)) return
    this.#callOff?.()
    this.#due = due
    this.#callOff = afterShown(ms, () => this.ask())
  }
}

/** Whether another try may be answered otherwise: what the hub refused, it refuses again. */
function mayPass(error: unknown): boolean {
  return !(error instanceof ApiError) || error.status < 400 || error.status >= 500 || error.status === 429
}
