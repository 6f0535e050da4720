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

/** Tells whether the element is within so much of the window, at once and when that changes, until it is told to stop. */
function watchWithin(margin: string, element: Element, tell: (isWithin: boolean) => void): () => void {
  const observer = new IntersectionObserver(
    (entries) => {
      const newest = entries.at(-1)
      if (newest !== undefined) tell(newest.isIntersecting)
    },
    { rootMargin: margin },
  )
  observer.observe(element)
  return () => observer.disconnect()
}
