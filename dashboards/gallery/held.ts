// What widgets are given: a subscription that holds fixed readings, without a socket, and patches that change it.
import { signal } from '@preact/signals'
import { apply, newSubscription, type Patch, seriesKey } from '@telltale/client'
import type { LastValue } from '../src/api'
import { type Metric, metricsOf } from '../src/chart/members'
import type { Watch } from '../src/live'
import { devices, MINUTE, NOW, readings, type Source } from './plant'

/** What the rings hold, as on a page that has just been opened. */
const HISTORY = '16m'

export interface Shown {
  watch: Watch
  last: ReadonlyMap<string, LastValue>
  metrics: Metric[]
}

export function shown(sources: readonly Source[]): Shown {
  const sub = newSubscription('gallery', { select: [], history: HISTORY })
  const series = sources.map((one, i) => ({
    ...described(one),
    series: i,
    points: readings(one, NOW - 16 * MINUTE, NOW),
  }))
  const snapshot = {
    type: 'snapshot',
    id: sub.id,
    cursor: 'c1',
    recovered: false,
    more: false,
    ranges: [],
    merged: 0,
  } as const
  apply(sub, { ...snapshot, ranges: [], series }, NOW)
  apply(sub, { type: 'state', id: sub.id, devices }, NOW)
  const watch: Watch = {
    sub,
    refused: signal(''),
    version: signal(sub.version),
    shape: signal(sub.shape),
    stop: () => undefined,
  }
  const last = new Map(sources.flatMap((one) => lastOf(one).map((value) => [seriesKey(one), value] as const)))
  return { watch, last, metrics: metricsOf(sources.map(described)) }
}

/** Readings that came late: the rings are patched as a frame of the hub would. */
export function patch({ watch }: Shown, of: Source, from: number, to: number): void {
  const points = readings({ ...described(of), stepMs: of.stepMs, at: of.at }, from, to)
  const late: Patch = {
    type: 'patch',
    id: watch.sub.id,
    ranges: [{ series: 0, from, to: to - 1, points }],
    series: [],
    merged: 0,
  }
  apply(watch.sub, late, NOW)
  watch.version.value = watch.sub.version
}

function described({ device, metric, labels, unit, kind }: Source) {
  return { device, metric, labels, unit, kind }
}

function lastOf(one: Source): LastValue[] {
  const newest = readings(one, NOW - 16 * MINUTE, NOW).at(-1)
  if (newest === undefined) return []
  const [time, value] = newest
  return [{ ...described(one), time, value, seen: time, changed: time - 3 * MINUTE }]
}
