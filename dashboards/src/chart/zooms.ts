// The ranges that zooms and moves left behind, newest last, so that each can be undone. Pure.
import type { TimeRange } from '../range'

/** Moves that follow each other sooner than this are undone together. */
export const TOGETHER_MS = 1_000
const KEPT = 50

export interface Zooms {
  stack: readonly TimeRange[]
  /** When the last move was. */
  movedAt: number
}

export const NO_ZOOMS: Zooms = { stack: [], movedAt: Number.NEGATIVE_INFINITY }

/** A zoom or one move left `before`. */
export function left(zooms: Zooms, before: TimeRange, how: 'zoom' | 'move', now: number): Zooms {
  const goesOn = how === 'move' && now - zooms.movedAt < TOGETHER_MS
  const stack = goesOn ? zooms.stack : [...zooms.stack, before].slice(-KEPT)
  return { stack, movedAt: how === 'move' ? now : Number.NEGATIVE_INFINITY }
}

/** What is left to undo where `shown` is shown: the back button may have undone some of it. */
export function undoable(zooms: Zooms, shown: TimeRange): readonly TimeRange[] {
  let { length } = zooms.stack
  while (length > 0 && same(zooms.stack[length - 1], shown)) length -= 1
  return zooms.stack.slice(0, length)
}

/** The range before the last zoom, and what is left to undo then. */
export function undone(zooms: Zooms, shown: TimeRange): { range: TimeRange; zooms: Zooms } | undefined {
  const stack = undoable(zooms, shown)
  const range = stack.at(-1)
  return range === undefined ? undefined : { range, zooms: { ...NO_ZOOMS, stack: stack.slice(0, -1) } }
}

function same(a: TimeRange | undefined, b: TimeRange): boolean {
  if (a?.kind === 'fixed' && b.kind === 'fixed') {
    // The address holds whole milliseconds.
    return Math.abs(a.from - b.from) <= 1 && Math.abs(a.to - b.to) <= 1
  }
  return JSON.stringify(a) === JSON.stringify(b)
}
