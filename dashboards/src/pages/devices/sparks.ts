// The last hour of the first value of each row in view, as a small line. Asked for when a row has been in view for a moment.
import { signal } from '@preact/signals'
import { type Series, selectorOf, seriesKey } from '@telltale/client'
import { fetchHistory } from '../../api'
import { hubNow } from '../../clock'

const HOUR_MS = 3_600_000
const POINTS = 60
/** As old as this a line is asked for again. */
const FRESH_MS = 60_000
const ASKED_AT_ONCE = 40
/** After a failure nothing is asked for so long: rows are drawn anew several times a second. */
const REST_MS = 10_000
const KEPT = 1_000

interface Spark {
  askedAt: number
  from: number
  to: number
  points: readonly (readonly [number, number])[]
}

const sparks = new Map<string, Spark>()
/** Moves when lines came. */
export const sparksVersion = signal(0)
let busy = false
let notBefore = 0

export function sparkOf(series: Series | undefined): Spark | undefined {
  return series === undefined ? undefined : sparks.get(series.key)
}

/** Numbers that are not counters have a line. */
export function hasSpark(series: Series | undefined): series is Series {
  return series !== undefined && series.type === 'number' && series.kind === 'gauge'
}

export async function wantSparks(wanted: readonly Series[]): Promise<void> {
  const now = hubNow()
  const due = wanted.filter((one) => now - (sparks.get(one.key)?.askedAt ?? 0) > FRESH_MS).slice(0, ASKED_AT_ONCE)
  if (busy || due.length === 0 || now < notBefore) return
  busy = true
  const window = { from: now - HOUR_MS, to: now }
  try {
    const found = await fetchHistory({ select: due.map((one) => selectorOf(one)), ...window, points: POINTS })
    if (sparks.size > KEPT) sparks.clear()
    for (const one of due) sparks.set(one.key, { askedAt: now, ...window, points: [] })
    for (const one of found) {
      const points = one.points.filter((point): point is [number, number] => typeof point[1] === 'number')
      const key = seriesKey(one)
      if (sparks.has(key)) sparks.set(key, { askedAt: now, ...window, points })
    }
    sparksVersion.value += 1
  } catch {
    // No line is drawn; a look after a while asks again.
    notBefore = now + REST_MS
  } finally {
    busy = false
  }
}
