// Keeps the rings of a page small however long it is open.
import { useEffect } from 'preact/hooks'
import { hubNow } from '../clock'
import { onFrame } from '../frame'
import { forgetBefore, type Watch } from '../live'
import { trimmedTo } from './cover'
import type { Older } from './older'

/** Live points older than this are left to history. */
const KEEP_MS = 3_600_000

/** Old live points go when history has been asked for a later time than theirs, or nobody shows them. */
export function useTrim(watched: Watch, olders: ReadonlySet<Older>): void {
  useEffect(() => {
    return onFrame(() => {
      const old = hubNow() - KEEP_MS
      const { coverFrom } = watched.sub
      // Half an hour of slack, so that trimming is rare.
      if (coverFrom <= old - KEEP_MS / 2) forgetBefore(watched, trimmedTo(old, coverFrom, olders))
    })
  }, [watched, olders])
}
