// The series that a page of charts shows: watched with a little history, known by their last values, and history beside them is
// told of what changed.
import type { SeriesDescription } from '@telltale/client'
import { useLayoutEffect, useMemo, useRef } from 'preact/hooks'
import { fetchLast, type LastValue } from '../api'
import { isCutOff, type Prepared, prepare, type Watch } from '../live'
import { hasBegun } from './cover'
import { LastValues } from './last'
import type { Older } from './older'

/** Live history asked for at the start: a little more than the range shown first, so that it needs no second request. */
const HISTORY = '16m'
const EVER = { from: Number.NEGATIVE_INFINITY, to: Number.POSITIVE_INFINITY }

function prepared(select: readonly string[], olders: ReadonlySet<Older>, last: LastValues): Prepared {
  // The last values are asked for beside the first snapshot.
  let isFirst = true
  return prepare(
    { select: [...select], history: HISTORY },
    {
      onEffects: ({ stale, replaced }) => {
        const touched = replaced ? EVER : stale
        if (touched !== undefined) for (const older of olders) older.touch(touched)
        if (touched !== undefined && !(replaced && isFirst)) last.touch(touched)
        if (replaced) isFirst = false
      },
    },
  )
}

interface Charted {
  watched: Prepared
  last: LastValues
  olders: Set<Older>
}

/**
 * Last values and the live watch of what a page names, for as long as it is shown. Where it names something else what was shown stays
 * until the other is there.
 */
export function useCharted(select: readonly string[]): Charted {
  const charted = useMemo((): Charted => {
    const olders = new Set<Older>()
    const last = new LastValues((signal) => fetchLast(select, signal))
    return { olders, last, watched: prepared(select, olders, last) }
  }, [select.join('\n')])
  // With the page itself, not after the next frame: a page that is left before that frame would never be told to stop.
  useLayoutEffect(() => {
    charted.watched.start()
    charted.last.ask()
    return () => {
      charted.last.stop()
      charted.watched.stop()
    }
  }, [charted])
  const shown = useRef(charted)
  if (shown.current !== charted && isThere(charted)) shown.current = charted
  return shown.current
}

function isThere({ watched, last }: Charted): boolean {
  watched.version.value
  return last.values.value !== undefined && (hasBegun(watched.sub) || isCutOff())
}

/** Each series that is watched or has a last value, once. */
export function* described(watched: Watch, last: ReadonlyMap<string, LastValue>): Iterable<SeriesDescription> {
  for (const series of watched.sub.series.values()) yield series
  for (const [key, one] of last) if (!watched.sub.series.has(key)) yield one
}
