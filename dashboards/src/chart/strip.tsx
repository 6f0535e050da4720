// The timeline of a state: a strip of spans, drawn on a canvas in the animation frame.
import { effect } from '@preact/signals'
import { useEffect, useRef } from 'preact/hooks'
import { colour, colourVersion, lineColour } from '../theme'
import type { Span } from './spans'

export interface StripHandle {
  width(): number
  /** Moves when the theme does. */
  colours(): number
  draw(spans: readonly Span[], fromMs: number, toMs: number, name: (value: number) => string): void
}

const HEIGHT = 26
/** Values of rest have no colour, so that what happens stands out. */
const QUIET = new Set(['off', '0', 'idle', 'ok', ''])

export function Strip(props: { title: string; onHandle(handle: StripHandle | undefined): void }) {
  const canvas = useRef<HTMLCanvasElement>(null)
  const latest = useRef(props)
  latest.current = props
  useEffect(() => {
    const element = canvas.current
    if (element === null) return
    let again = (): void => undefined
    latest.current.onHandle({
      width: () => element.clientWidth,
      colours: () => colourVersion.peek(),
      draw: (...what) => {
        again = () => draw(element, ...what)
        again()
      },
    })
    // At once, not in the next frame: what is printed has none.
    const uncolour = effect(() => {
      colourVersion.value
      again()
    })
    return () => {
      uncolour()
      latest.current.onHandle(undefined)
    }
  }, [])
  return <canvas class="strip" ref={canvas} role="img" aria-label={`Timeline of ${props.title}`} />
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
