// Keeps the rings of a page small however long it is open, or hidden.
import { useEffect, useRef } from 'preact/hooks'
import { hubNow } from '../clock'
import { onFrame } from '../frame'
import { isHidden } from '../hidden'
import { forgetBefore, type Watch } from '../live'
import type { TimeRange } from '../range'
import { hasBegun, keptMs, trimmedTo } from './cover'
import type { Older } from './older'

/** So much more is held before it is trimmed, so that trimming is rare. */
const SLACK = 0.25
/** A hidden page has no frames: it is looked after this often. */
const HIDDEN_MS = 60_000

/** Old live points go when history has been asked for a later time than theirs, or nobody shows them. */
export function useTrim(watched: Watch, olders: ReadonlySet<Older>, range: TimeRange): void {
  const shown = useRef(range)
  shown.current = range
  useEffect(() => keepSmall(watched, olders, () => shown.current), [watched, olders])
}

/** Until it is told to stop. */
export function keepSmall(watched: Watch, olders: ReadonlySet<Older>, range: () => TimeRange): () => void {
  const trim = (drawn: Iterable<Older>) => {
    const now = hubNow()
    const kept = keptMs(range())
    const { coverFrom } = watched.sub
    if (hasBegun(watched.sub) && coverFrom <= now - kept * (1 + SLACK))
      forgetBefore(watched, trimmedTo(now - kept, coverFrom, drawn))
  }
  const off = onFrame(() => trim(olders))
  // Charts that nobody sees need no points for a line that goes on: they ask history when they are seen.
  const timer = setInterval(() => {
    if (isHidden()) trim([])
  }, HIDDEN_MS)
  return () => {
    off()
    clearInterval(timer)
  }
}
