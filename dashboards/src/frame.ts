// The one animation frame. Whoever has something to draw registers; whoever changed something asks for a frame; all that
// is drawn is drawn in it, at most once per refresh of the screen. A hidden page draws nothing.
import { batch } from '@preact/signals'

type Draw = () => void

const draws = new Set<Draw>()
let requested = false

export function onFrame(draw: Draw): () => void {
  draws.add(draw)
  requestFrame()
  return () => draws.delete(draw)
}

export function requestFrame(): void {
  if (requested) return
  requested = true
  requestAnimationFrame(run)
}

function run(): void {
  requested = false
  batch(() => {
    for (const draw of draws) draw()
  })
}
