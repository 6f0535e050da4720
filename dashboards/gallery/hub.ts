// What the gallery's hub answers: history and figures of the plant, as the real one writes them.
import { selectorOf, type Value } from '@telltale/client'
import {
  boiler,
  cells,
  cores,
  gone,
  outdoor,
  power,
  readings,
  received,
  refusing,
  type Source,
  silentOne,
  states,
} from './plant'

type Reading = [number, Value]

const all = [boiler, gone, outdoor, received, power, silentOne, ...cores, ...cells, ...states]

export function answer(url: URL): Response {
  if (url.pathname !== '/api/v1/history')
    return refused(404, 'not_found', `there is no ${url.pathname}`, 'this is a gallery')
  const select = url.searchParams.getAll('select')
  if (select.includes(selectorOf(refusing))) {
    return refused(
      503,
      'store_away',
      'history cannot be read: the disk does not answer',
      'it is tried again every few seconds',
    )
  }
  const found = all.filter((one) => select.some((text) => matches(text, one)))
  return Response.json({
    series: found.map((one) => seriesOf(one, url.searchParams)),
    thinned: url.searchParams.has('points'),
  })
}

function refused(status: number, code: string, message: string, hint: string): Response {
  return Response.json({ error: { code, message, hint } }, { status })
}

/** A selector of one series, or of all of a metric. */
function matches(select: string, { device, metric, labels }: Source): boolean {
  return select === selectorOf({ device, metric }) || select === selectorOf({ device, metric, labels })
}

function seriesOf(one: Source, query: URLSearchParams) {
  const [from, to] = ['from', 'to'].map((name) => Number.parseInt(query.get(name) ?? '', 10))
  const { device, metric, labels, unit, kind } = one
  const found = readings(one, from ?? 0, to ?? 0)
  const aggs = query.get('agg')?.split(',') ?? []
  const head = { device, metric, labels, unit, kind, columns: ['time', ...(aggs.length === 0 ? ['value'] : aggs)] }
  const columns = Number(query.get('points') ?? 0)
  const every = Number.parseInt(query.get('every') ?? '', 10) * 60_000
  if (columns > 0) return { ...head, points: thinned(found, ((to ?? 0) - (from ?? 0)) / columns) }
  if (aggs.length === 0) return { ...head, points: found }
  const buckets = grouped(found, (time) => (Number.isNaN(every) ? (from ?? 0) : Math.floor(time / every) * every))
  return {
    ...head,
    points: [...buckets].map(([start, rows]) => [
      start,
      ...aggs.map((agg) =>
        figure(
          agg,
          rows.map(([, v]) => v),
        ),
      ),
    ]),
  }
}

function grouped(found: readonly Reading[], keyOf: (time: number) => number): Map<number, Reading[]> {
  const groups = new Map<number, Reading[]>()
  for (const reading of found) {
    const key = keyOf(reading[0])
    const group = groups.get(key)
    if (group === undefined) groups.set(key, [reading])
    else group.push(reading)
  }
  return groups
}

/** Of each column the least and the greatest, in the order of their times. */
function thinned(found: readonly Reading[], column: number): Reading[] {
  const kept: Reading[] = []
  for (const rows of grouped(found, (time) => Math.floor(time / column)).values()) {
    const sorted = [...rows].sort((a, b) => Number(a[1]) - Number(b[1]))
    const ends = [sorted[0], sorted.at(-1)].filter((row) => row !== undefined)
    kept.push(...new Set(ends.sort((a, b) => a[0] - b[0])))
  }
  return kept
}

function figure(agg: string, values: readonly Value[]): Value | null {
  const numbers = values.map(Number)
  switch (agg) {
    case 'count':
      return values.length
    case 'min':
      return Math.min(...numbers)
    case 'max':
      return Math.max(...numbers)
    case 'mean':
      return numbers.reduce((sum, value) => sum + value, 0) / numbers.length
    case 'first':
      return values[0] ?? null
    case 'last':
      return values.at(-1) ?? null
    default:
      return null
  }
}
