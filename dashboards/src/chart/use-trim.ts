// Keeps the rings of a page small however long it is open.
import { useEffect, useRef } from 'preact/hooks'
import { hubNow } from '../clock'
import { onFrame } from '../frame'
import { forgetBefore, type Watch } from '../live'
import type { TimeRange } from '../range'
import { hasBegun, keptMs, trimmedTo } from './cover'
import type { Older } from './older'

/** So much more is held before it is trimmed, so that trimming is rare. */
const SLACK = 0.25

/** Old live points go when history has been asked for a later time than theirs, or nobody shows them. */
export function useTrim(watched: Watch, olders: ReadonlySet<Older>, range: TimeRange): void {
  const shown = useRef(range)
  shown.current = range
  useEffect(() => {
    return onFrame(() => {
      const now = hubNow()
      const kept = keptMs(shown.current)
      const { coverFrom } = watched.sub
      if (hasBegun(watched.sub) && coverFrom <= now - kept * (1 + SLACK))
        forgetBefore(watched, trimmedTo(now - kept, coverFrom, olders))
    })
  }, [watched, olders])
}
