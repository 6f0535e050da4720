// The series that a page of charts shows: watched with a little history, known by their last values, and history beside them is
// told of what changed.
import { type SeriesDescription, seriesKey } from '@telltale/client'
import { fetchLast, type LastValue } from '../api'
import { type Watch, watch } from '../live'
import type { Older } from './older'

/** Live history asked for at the start: a little more than the range shown first, so that it needs no second request. */
const HISTORY = '16m'
const EVER = { from: Number.NEGATIVE_INFINITY, to: Number.POSITIVE_INFINITY }

export function watchCharted(select: readonly string[], olders: ReadonlySet<Older>): Watch {
  return watch(
    { select: [...select], history: HISTORY },
    {
      onEffects: ({ stale, replaced }) => {
        const touched = replaced ? EVER : stale
        if (touched !== undefined) for (const older of olders) older.touch(touched)
      },
    },
  )
}

/** By the keys of the series. */
export async function lastValues(select: readonly string[]): Promise<ReadonlyMap<string, LastValue>> {
  const found = await fetchLast(select)
  return new Map(found.map((one) => [seriesKey(one), one]))
}

/** Each series that is watched or has a last value, once. */
export function* described(watched: Watch, last: ReadonlyMap<string, LastValue>): Iterable<SeriesDescription> {
  for (const series of watched.sub.series.values()) yield series
  for (const [key, one] of last) if (!watched.sub.series.has(key)) yield one
}
