// The times under the timelines, drawn on a canvas in the animation frame as they are.
import { effect } from '@preact/signals'
import { useEffect, useRef } from 'preact/hooks'
import { hubNow } from '../clock'
import { onTurn } from '../frame'
import type { TimeRange } from '../range'
import { colour, colourVersion } from '../theme'
import { windowText } from '../words'
import { zone } from '../zone'
import { ticksWithin } from './axes'
import { steppedWindow } from './held'
import { useNear } from './near'

const HEIGHT = 16

export function StripAxis({ range }: { range: TimeRange }) {
  const canvas = useRef<HTMLCanvasElement>(null)
  const shown = useRef(range)
  shown.current = range
  const near = useNear(canvas)
  useEffect(() => {
    const element = canvas.current
    if (element === null) return
    let state = ''
    const paint = () => {
      const width = element.clientWidth
      if (width === 0) return
      const { from, to } = steppedWindow(shown.current, width)
      const next = [from, to, width, colourVersion.peek(), zone.peek()].join()
      if (next === state) return
      state = next
      draw(element, from, to)
      const told = `Time from ${windowText(from, to, hubNow()).replace(' – ', ' to ')}`
      if (element.getAttribute('aria-label') !== told) element.setAttribute('aria-label', told)
    }
    const stop = onTurn(() => {
      if (near.peek()) paint()
    })
    // At once, not in the next frame: what is printed has none.
    const uncolour = effect(() => {
      colourVersion.value
      paint()
    })
    return () => {
      stop()
      uncolour()
    }
  }, [])
  return <canvas class="strip-axis" ref={canvas} role="img" aria-label="Time" />
}

function draw(element: HTMLCanvasElement, from: number, to: number): void {
  const ratio = devicePixelRatio
  const width = element.clientWidth
  element.width = Math.round(width * ratio)
  element.height = Math.round(HEIGHT * ratio)
  const pen = element.getContext('2d')
  if (pen === null) return
  pen.scale(ratio, ratio)
  pen.font = '11px system-ui, sans-serif'
  pen.textBaseline = 'middle'
  pen.textAlign = 'center'
  pen.fillStyle = colour('--ink-3')
  for (const { time, text } of ticksWithin(from, to, width)) {
    const x = ((time - from) / (to - from)) * width
    const half = pen.measureText(text).width / 2
    // One that the edge would cut is left out.
    if (x >= half && x <= width - half) pen.fillText(text, x, HEIGHT / 2)
  }
}
