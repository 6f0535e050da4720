// When the address is written while a window follows the hand: browsers take only so many changes in a while, and some throw at
// more. What is shown does not wait for it. Pure: the browser is handed in.

export const ADDRESS_PAUSE_MS = 300
/** After the browser refused one. */
const REFUSED_MS = 2_000

export interface Browser {
  /** The hash of the address. */
  hash(): string
  replace(hash: string): void
  after(ms: number, run: () => void): void
}

export class Address {
  readonly #browser: Browser
  #wanted: string | undefined
  /** What the address was when `#wanted` came: who has gone elsewhere since is left there. */
  #before = ''
  #pausing = false

  constructor(browser: Browser) {
    this.#browser = browser
  }

  /** Writes now, or when the pause after the last time is over: the last that came by then. */
  put(hash: string): void {
    if (this.#wanted === undefined) this.#before = this.#browser.hash()
    this.#wanted = hash
    if (!this.#pausing) this.flush()
  }

  /** Somebody went elsewhere: what waits is not written any more. */
  forget(): void {
    this.#wanted = undefined
  }

  /** Writes what waits. */
  flush(): void {
    const wanted = this.#wanted
    if (wanted === undefined) return
    if (this.#browser.hash() !== this.#before) {
      this.#wanted = undefined
      return
    }
    try {
      this.#browser.replace(wanted)
      this.#wanted = undefined
      this.#pause(ADDRESS_PAUSE_MS)
    } catch {
      this.#pause(REFUSED_MS)
    }
  }

  #pause(ms: number): void {
    if (this.#pausing) return
    this.#pausing = true
    this.#browser.after(ms, () => {
      this.#pausing = false
      this.flush()
    })
  }
}
