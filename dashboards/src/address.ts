// When the address is written: a choice and a step at once, since whoever loads the page anew, or sends the link, has what they chose;
// what follows the hand in pauses, since browsers take only so many changes in a while, and some throw at more. What is shown does
// not wait for it. Pure: the browser is handed in.

export const ADDRESS_PAUSE_MS = 300
/** After the browser refused one. */
const REFUSED_MS = 2_000

/** A step is undone by the back button; a choice and a move are not. */
export type How = 'step' | 'choice' | 'move'

export interface Browser {
  /** The hash of the address. */
  hash(): string
  replace(hash: string): void
  push(hash: string): void
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

  /** Of moves the last that came in a pause is written when it is over. */
  write(hash: string, how: How): void {
    if (how === 'step') this.#step(hash)
    else {
      this.#want(hash)
      if (how === 'choice' || !this.#pausing) this.flush()
    }
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

  #step(hash: string): void {
    this.flush()
    this.forget()
    if (this.#browser.hash() === hash) return
    try {
      this.#browser.push(hash)
    } catch {
      // There is no step back then, but the address says what is shown.
      this.#want(hash)
      this.#pause(REFUSED_MS)
    }
  }

  #want(hash: string): void {
    if (this.#wanted === undefined) this.#before = this.#browser.hash()
    this.#wanted = hash
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
