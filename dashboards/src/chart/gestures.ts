// Moving about in time on a chart: keys, the wheel and two fingers. What a gesture means is told as a change of the window, so
// that two that come within one frame add up.
import { moved, type TimeRange, zoomed } from '../range'

export interface Window {
  from: number
  to: number
}

export type Change = (window: Window) => TimeRange

export interface Ground {
  /** Place (0 to 1) of a point of the screen within the drawing area. */
  place(clientX: number): number
  /** A window that follows the hand: no step for the back button. */
  onMove(change: Change): void
}

/** One key: how far, or how much closer. */
const KEYS: Readonly<Record<string, Change>> = {
  ArrowLeft: (window) => moved(window, -0.25),
  ArrowRight: (window) => moved(window, 0.25),
  PageUp: (window) => moved(window, -1),
  PageDown: (window) => moved(window, 1),
  '+': (window) => zoomed(window, 0.5),
  '=': (window) => zoomed(window, 0.5),
  '-': (window) => zoomed(window, 2),
}

export function keyChange(key: string): Change | undefined {
  return Object.hasOwn(KEYS, key) ? KEYS[key] : undefined
}

/** How much a turn of the wheel by one pixel zooms. */
const WHEEL = 0.002

/** With Ctrl (or a pinch on a touch pad) the wheel zooms at the pointer; sideways, or with Shift, it moves in time. */
export function wheelChange(
  event: { deltaX: number; deltaY: number; ctrlKey: boolean; metaKey: boolean; shiftKey: boolean },
  width: number,
  at: number,
): Change | undefined {
  if (event.ctrlKey || event.metaKey) return (window) => zoomed(window, Math.exp(event.deltaY * WHEEL), at)
  const sideways = event.shiftKey && event.deltaX === 0 ? event.deltaY : event.deltaX
  if (sideways === 0 || Math.abs(sideways) < Math.abs(event.shiftKey ? 0 : event.deltaY)) return undefined
  return (window) => moved(window, sideways / Math.max(1, width))
}

/** Two fingers, by the places (0 to 1) where they began and are now, over the window where they began. */
export function pinchRange(
  began: readonly [number, number],
  now: readonly [number, number],
  window: Window,
): TimeRange {
  const length = window.to - window.from
  const apart = (pair: readonly [number, number]) => Math.max(0.02, Math.abs(pair[1] - pair[0]))
  const middle = (pair: readonly [number, number]) => (pair[0] + pair[1]) / 2
  const next = zoomed(window, apart(began) / apart(now), middle(began))
  if (next.kind !== 'fixed') return next
  const shift = (middle(began) - middle(now)) * (length * (apart(began) / apart(now)))
  return { kind: 'fixed', from: next.from + shift, to: next.to + shift }
}

/** Listens on the element until it is told to stop. */
export function gestures(element: HTMLElement, ground: Ground): () => void {
  const wheel = (event: WheelEvent) => {
    const change = wheelChange(event, element.clientWidth, ground.place(event.clientX))
    if (change === undefined) return
    event.preventDefault()
    ground.onMove(change)
  }
  const key = (event: KeyboardEvent) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return
    const change = keyChange(event.key)
    if (change === undefined) return
    event.preventDefault()
    ground.onMove(change)
  }
  const unpinch = pinches(element, ground)
  element.addEventListener('wheel', wheel, { passive: false })
  element.addEventListener('keydown', key)
  return () => {
    element.removeEventListener('wheel', wheel)
    element.removeEventListener('keydown', key)
    unpinch()
  }
}

function pinches(element: HTMLElement, ground: Ground): () => void {
  let began: { pair: [number, number]; window: Window | undefined } | undefined
  const pairOf = (event: TouchEvent): [number, number] | undefined => {
    const [a, b] = [event.touches[0], event.touches[1]]
    if (a === undefined || b === undefined) return undefined
    return [ground.place(a.clientX), ground.place(b.clientX)]
  }
  const start = (event: TouchEvent) => {
    const pair = pairOf(event)
    began = pair === undefined ? undefined : { pair, window: undefined }
  }
  const move = (event: TouchEvent) => {
    const pair = pairOf(event)
    const from = began
    if (from === undefined || pair === undefined) return
    event.preventDefault()
    ground.onMove((window) => {
      // The window where the fingers were put down counts, not the one of the last frame.
      from.window ??= window
      return pinchRange(from.pair, pair, from.window)
    })
  }
  element.addEventListener('touchstart', start, { passive: true })
  element.addEventListener('touchmove', move, { passive: false })
  element.addEventListener('touchend', start, { passive: true })
  return () => {
    element.removeEventListener('touchstart', start)
    element.removeEventListener('touchmove', move)
    element.removeEventListener('touchend', start)
  }
}
