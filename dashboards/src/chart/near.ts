// What is in view, or nearly. Of hundreds of cards only those draw, ask the hub, and follow live values and the crosshair; what costs
// memory is made when it comes near, and let go of when it is far.
import { type Signal, useSignal } from '@preact/signals'
import { useEffect } from 'preact/hooks'
import { requestFrame } from '../frame'

/** As far outside of the window as something counts as near: it is there when it is scrolled to. */
const NEAR = '300px'
/** So far that whoever scrolls back has it made anew before it is seen. */
const FAR = '3000px'

/** Whether the element is near. What comes near is drawn in the next frame. */
export function useNear(element: { current: Element | null }): Signal<boolean> {
  const near = useSignal(false)
  useEffect(() => {
    const { current } = element
    if (current === null) return undefined
    return watchWithin(NEAR, current, (isNear) => {
      near.value = isNear
      if (isNear) requestFrame()
    })
  }, [])
  return near
}

/**
 * Makes something when the element comes near, and lets go of it, by what `make` gave, when the element is far or this is stopped. `near`
 * outlasts one making: what is made for other data is made anew at once, and is not missing until the browser has looked again.
 */
export function whileNear(element: Element, near: { current: boolean }, make: () => () => void): () => void {
  let letGo = near.current ? make() : undefined
  const end = () => {
    letGo?.()
    letGo = undefined
  }
  const stops = [
    watchWithin(NEAR, element, (isNear) => {
      near.current = isNear
      if (isNear) letGo ??= make()
    }),
    watchWithin(FAR, element, (isThere) => {
      if (!isThere) end()
    }),
  ]
  return () => {
    for (const stop of stops) stop()
    end()
  }
}

type Tell = (isWithin: boolean) => void

/** Tells whether the element is within so much of the window, soon and when that changes, until it is told to stop. */
function watchWithin(margin: string, element: Element, tell: Tell): () => void {
  const watcher = watchers.get(margin) ?? new Watcher(margin)
  watchers.set(margin, watcher)
  return watcher.watch(element, tell)
}

/** One for each margin: a browser looks through hundreds of elements of one observer at less cost than through as many observers. */
const watchers = new Map<string, Watcher>()

class Watcher {
  readonly #tells = new Map<Element, Set<Tell>>()
  readonly #observer: IntersectionObserver

  constructor(rootMargin: string) {
    this.#observer = new IntersectionObserver((entries) => this.#tell(entries), { rootMargin })
  }

  watch(element: Element, tell: Tell): () => void {
    const tells = this.#tells.get(element) ?? new Set()
    this.#tells.set(element, tells.add(tell))
    // One that is watched already is told of anew.
    this.#observer.unobserve(element)
    this.#observer.observe(element)
    return () => {
      tells.delete(tell)
      if (tells.size > 0 || this.#tells.get(element) !== tells) return
      this.#tells.delete(element)
      this.#observer.unobserve(element)
    }
  }

  #tell(entries: readonly IntersectionObserverEntry[]): void {
    for (const { target, isIntersecting } of entries) {
      for (const tell of [...(this.#tells.get(target) ?? [])]) guarded(() => tell(isIntersecting))
    }
  }
}

/** A chart that cannot be made keeps no other from being made. */
function guarded(run: () => void): void {
  try {
    run()
  } catch (error) {
    reportError(error)
  }
}
