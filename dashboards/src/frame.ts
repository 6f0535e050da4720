// The one animation frame. Whoever has something to draw registers; whoever changed something asks for a frame; all that
// is drawn is drawn in it, at most once per refresh of the screen. A hidden page draws nothing. What fails to be drawn is told of
// once, and stops nothing else.
//
// Charts take turns: when a frame's time is used up, the rest is drawn in the next, so that many charts at once delay a
// click by one chart, not by all of them.
import { batch } from '@preact/signals'

type Draw = () => void

const TURN_MS = 8
const draws = new Set<Draw>()
const turns: Draw[] = []
const failed = new WeakSet<Draw>()
let next = 0
let requested = false

/** Called in each frame; cheap. */
export function onFrame(draw: Draw): () => void {
  draws.add(draw)
  requestFrame()
  return () => draws.delete(draw)
}

/** Called in each frame that has time left for it, in turn with the others. */
export function onTurn(draw: Draw): () => void {
  turns.push(draw)
  requestFrame()
  return () => {
    const at = turns.indexOf(draw)
    if (at < 0) return
    turns.splice(at, 1)
    if (at < next) next -= 1
  }
}

export function requestFrame(): void {
  if (requested) return
  requested = true
  requestAnimationFrame(run)
}

function run(): void {
  requested = false
  batch(() => {
    for (const draw of draws) guarded(draw)
    const began = performance.now()
    for (let i = 0; i < turns.length; i += 1) {
      if (performance.now() - began > TURN_MS) {
        requestFrame()
        return
      }
      next = (next + 1) % turns.length
      const draw = turns[next]
      if (draw !== undefined) guarded(draw)
    }
  })
}

function guarded(draw: Draw): void {
  try {
    draw()
  } catch (error) {
    if (failed.has(draw)) return
    failed.add(draw)
    reportError(error)
  }
}
