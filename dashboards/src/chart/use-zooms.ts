// How a page of charts changes its range: a zoom is a step that the back button undoes, moving about is not, and both are undone
// by the page's own button, by Backspace or Escape, and by a double click on a chart.
import { useSignal } from '@preact/signals'
import { useEffect, useRef } from 'preact/hooks'
import type { How } from '../address'
import { hubNow } from '../clock'
import { changed, parseRange, type TimeRange } from '../range'
import { shownQuery } from '../route'
import type { Change } from './gestures'
import { left, NO_ZOOMS, undoable, undone } from './zooms'

export interface Zooming {
  onZoom(from: number, to: number): void
  onMove(change: Change): void
  /** Another range was chosen: there is nothing to undo. */
  onRange(range: TimeRange): void
  onUndo(): void
  canUndo: boolean
}

/** `show` writes the range into the address. */
export function useZooms(range: TimeRange, show: (range: TimeRange, how: How) => void): Zooming {
  const zooms = useSignal(NO_ZOOMS)
  const showNow = useRef(show)
  showNow.current = show
  // What is shown may be ahead of what was rendered.
  const shown = () => parseRange(shownQuery())
  const onUndo = () => {
    const found = undone(zooms.peek(), shown())
    if (found === undefined) return
    zooms.value = found.zooms
    showNow.current(found.range, 'choice')
  }
  useKeys(onUndo)
  return {
    onZoom: (from, to) => {
      zooms.value = left(zooms.peek(), shown(), 'zoom', performance.now())
      showNow.current({ kind: 'fixed', from, to }, 'step')
    },
    onMove: (change) => {
      zooms.value = left(zooms.peek(), shown(), 'move', performance.now())
      showNow.current(changed(shownQuery(), change, hubNow()), 'move')
    },
    onRange: (next) => {
      zooms.value = NO_ZOOMS
      showNow.current(next, 'choice')
    },
    onUndo,
    canUndo: undoable(zooms.value, range).length > 0,
  }
}

const UNDO_KEYS = new Set(['Backspace', 'Escape'])

/** Keys that are meant for a field, or close what is open, undo nothing. */
function useKeys(onUndo: () => void): void {
  const latest = useRef(onUndo)
  latest.current = onUndo
  useEffect(() => {
    const key = (event: KeyboardEvent) => {
      if (!UNDO_KEYS.has(event.key) || event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return
      const { target } = event
      if (target instanceof Element && target.closest('input, textarea, select, [open]') !== null) return
      if (document.querySelector('.range-box[open]') === null) latest.current()
    }
    // Before the box that Escape closes is closed.
    document.addEventListener('keydown', key, { capture: true })
    return () => document.removeEventListener('keydown', key, { capture: true })
  }, [])
}
