// The timeline of a state: a strip of spans, drawn on a canvas in the animation frame.
import { batch, effect } from '@preact/signals'
import { useEffect, useRef } from 'preact/hooks'
import { colour, colourVersion, lineColour } from '../theme'
import { hoverTime, timelineHover } from './hover'
import type { Span } from './spans'

export interface StripHandle {
  width(): number
  /** Moves when the theme does. */
  colours(): number
  draw(spans: readonly Span[], fromMs: number, toMs: number, name: (value: number) => string): void
}

const HEIGHT = 26
/** Less is a click. */
const LEAST_PX = 4
/** Values of rest have no colour, so that what happens stands out. */
const QUIET = new Set(['off', '0', 'idle', 'ok', ''])

interface StripProps {
  title: string
  onHandle(handle: StripHandle | undefined): void
  /** A stretch that the mouse was drawn over. */
  onZoom?(fromMs: number, toMs: number): void
  /** A double click. */
  onUndo?(): void
}

export function Strip(props: StripProps) {
  const canvas = useRef<HTMLCanvasElement>(null)
  const cross = useRef<HTMLElement>(null)
  const area = useRef<HTMLElement>(null)
  const drawn = useRef({ from: 0, to: 0 })
  const pressed = useRef<number | undefined>(undefined)
  const latest = useRef(props)
  latest.current = props
  useEffect(() => {
    const element = canvas.current
    if (element === null) return
    let again = (): void => undefined
    latest.current.onHandle({
      width: () => element.clientWidth,
      colours: () => colourVersion.peek(),
      draw: (spans, from, to, name) => {
        drawn.current = { from, to }
        again = () => draw(element, spans, from, to, name)
        again()
      },
    })
    const uncross = effect(() => putCross(cross.current, drawn.current, hoverTime.value))
    // At once, not in the next frame: what is printed has none.
    const uncolour = effect(() => {
      colourVersion.value
      again()
    })
    return () => {
      uncolour()
      uncross()
      // Nothing tells of a pointer whose timeline goes.
      if (timelineHover.peek() !== undefined) point(undefined)
      latest.current.onHandle(undefined)
    }
  }, [])
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: what stands under the pointer is told in words beside it.
    <div
      class="strip-box"
      onPointerMove={(event) => {
        const time = timeUnder(event, drawn.current)
        point(time)
        mark(area.current, drawn.current, pressed.current, time)
      }}
      onPointerLeave={() => point(undefined)}
      onPointerCancel={() => point(undefined)}
      onPointerDown={(event) => {
        // A finger scrolls the page.
        if (event.pointerType !== 'mouse' || event.button !== 0 || props.onZoom === undefined) return
        event.currentTarget.setPointerCapture(event.pointerId)
        pressed.current = timeUnder(event, drawn.current)
      }}
      onPointerUp={(event) => {
        const [from, to] = [pressed.current, timeUnder(event, drawn.current)]
        pressed.current = undefined
        mark(area.current, drawn.current, undefined, undefined)
        if (from === undefined || to === undefined) return
        const least =
          (LEAST_PX / Math.max(1, event.currentTarget.clientWidth)) * (drawn.current.to - drawn.current.from)
        if (Math.abs(to - from) >= least) props.onZoom?.(Math.min(from, to), Math.max(from, to))
      }}
      onDblClick={() => props.onUndo?.()}
    >
      <canvas class="strip" ref={canvas} role="img" aria-label={`Timeline of ${props.title}`} />
      <i class="strip-area" ref={area} hidden />
      <i class="strip-cross" ref={cross} hidden />
    </div>
  )
}

interface Drawn {
  from: number
  to: number
}

function point(time: number | undefined): void {
  batch(() => {
    hoverTime.value = time
    timelineHover.value = time
  })
}

function timeUnder(event: PointerEvent, { from, to }: Drawn): number | undefined {
  const { left, width } = (event.currentTarget as HTMLElement).getBoundingClientRect()
  if (width === 0 || from >= to) return undefined
  return from + Math.min(1, Math.max(0, (event.clientX - left) / width)) * (to - from)
}

/** The stretch between where the mouse was pressed and where it is. */
function mark(element: HTMLElement | null, { from, to }: Drawn, a: number | undefined, b: number | undefined): void {
  if (element === null) return
  element.hidden = a === undefined || b === undefined
  if (a === undefined || b === undefined) return
  element.style.left = `${((Math.min(a, b) - from) / (to - from)) * 100}%`
  element.style.width = `${(Math.abs(b - a) / (to - from)) * 100}%`
}

/** The crosshair of the page, as a line over the timeline. */
function putCross(element: HTMLElement | null, { from, to }: Drawn, time: number | undefined): void {
  if (element === null) return
  const isOver = time !== undefined && time >= from && time <= to
  element.hidden = !isOver
  if (isOver) element.style.left = `${((time - from) / (to - from)) * 100}%`
}

function draw(
  element: HTMLCanvasElement,
  spans: readonly Span[],
  from: number,
  to: number,
  name: (value: number) => string,
): void {
  const ratio = devicePixelRatio
  const width = Math.round(element.clientWidth * ratio)
  const height = Math.round(HEIGHT * ratio)
  if (element.width !== width || element.height !== height) {
    element.width = width
    element.height = height
  }
  const pen = element.getContext('2d')
  if (pen === null || width === 0) return
  pen.clearRect(0, 0, width, height)
  pen.font = `${11 * ratio}px system-ui, sans-serif`
  pen.textBaseline = 'middle'
  const x = (time: number) => ((time - from) / (to - from)) * width
  for (const span of spans) {
    const left = x(span.from)
    const right = Math.max(left + ratio, x(span.to))
    const quiet = QUIET.has(name(span.value))
    pen.globalAlpha = quiet ? 0.18 : 0.34
    pen.fillStyle = quiet ? colour('--ink-3') : lineColour(span.value)
    pen.fillRect(left, 0, right - left, height)
    pen.globalAlpha = 1
    const text = name(span.value)
    const room = right - left - 12 * ratio
    if (room < 12 * ratio || pen.measureText(text).width > room) continue
    pen.fillStyle = colour('--ink')
    pen.fillText(text, left + 6 * ratio, height / 2)
  }
}
