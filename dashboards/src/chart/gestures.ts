// Moving about in time on a chart: keys, the wheel and fingers. What a gesture means is told as a change of the window, so
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
    // Those move the crosshair.
    if (event.shiftKey && event.key.startsWith('Arrow')) return
    const change = keyChange(event.key)
    if (change === undefined) return
    event.preventDefault()
    ground.onMove(change)
  }
  const untouch = touches(element, ground)
  element.addEventListener('wheel', wheel, { passive: false })
  element.addEventListener('keydown', key)
  return () => {
    element.removeEventListener('wheel', wheel)
    element.removeEventListener('keydown', key)
    untouch()
  }
}

/** A finger that has moved so many pixels sideways, and more than up or down, moves the window. */
const PAN_FROM = 8

interface Touched {
  /** Places of one finger or two where they were put down. */
  places: readonly number[]
  x: number
  y: number
  /** The window where the fingers were put down counts, not the one of the last frame. */
  window: Window | undefined
  /** One finger: whether it moves the window; undefined until that is clear. */
  pans: boolean | undefined
}

/** Whether one finger moves the window, by how far it has come; undefined while it may still be a tap. */
export function pansBy(dx: number, dy: number): boolean | undefined {
  if (Math.abs(dx) < PAN_FROM && Math.abs(dy) < PAN_FROM) return undefined
  return Math.abs(dx) > Math.abs(dy)
}

/** One finger sideways moves in time, two also zoom. Up and down is left to the page. */
function touches(element: HTMLElement, ground: Ground): () => void {
  let began: Touched | undefined
  const places = (event: TouchEvent) => [...event.touches].slice(0, 2).map((one) => ground.place(one.clientX))
  const start = (event: TouchEvent) => {
    const first = event.touches[0]
    began =
      first === undefined
        ? undefined
        : { places: places(event), x: first.clientX, y: first.clientY, window: undefined, pans: undefined }
  }
  const move = (event: TouchEvent) => {
    const [from, first] = [began, event.touches[0]]
    const now = places(event)
    if (from === undefined || first === undefined || now.length !== from.places.length) return
    if (now.length === 1) from.pans ??= pansBy(first.clientX - from.x, first.clientY - from.y)
    if (now.length === 1 && from.pans !== true) return
    if (event.cancelable) event.preventDefault()
    ground.onMove((window) => {
      from.window ??= window
      return fingersRange(from.places, now, from.window)
    })
  }
  const listened = { touchstart: start, touchmove: move, touchend: start, touchcancel: start } as const
  for (const [name, listener] of Object.entries(listened)) {
    element.addEventListener(name, listener as EventListener, { passive: name !== 'touchmove' })
  }
  return () => {
    for (const [name, listener] of Object.entries(listened)) {
      element.removeEventListener(name, listener as EventListener)
    }
  }
}

/** The window that one finger or two make of it, by the places where they began and are now. */
export function fingersRange(began: readonly number[], now: readonly number[], window: Window): TimeRange {
  const [a = 0, b] = began
  const [c = 0, d] = now
  return b === undefined || d === undefined ? moved(window, a - c) : pinchRange([a, b], [c, d], window)
}
