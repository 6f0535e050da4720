// What an address under `#/explore` says, and back: the whole view is in the link. Pure.
import { DEFAULT_RANGE, parseRange, rangeQuery, type TimeRange } from '../../range'

export interface View {
  select: readonly string[]
  range: TimeRange
  /** Empty: as fine as can be seen. */
  every: string
  agg: string
  compare: Compare
  axes: Axes
  /** The lines that are switched off, as `hidden` reads it. */
  off: string
}

export const NO_VIEW: View = {
  select: [],
  range: DEFAULT_RANGE,
  every: '',
  agg: 'mean',
  compare: '',
  axes: '',
  off: '',
}

export const EVERY = ['10s', '1m', '5m', '15m', '1h', '6h', '1d', '1w', '1mo'] as const
export const AGGREGATES = [
  'mean',
  'min',
  'max',
  'first',
  'last',
  'count',
  'sum',
  'stddev',
  'p50',
  'p90',
  'p99',
  'increase',
  'rate',
] as const

export const COMPARES = { '': 'nothing', '1d': 'the day before', '7d': 'the week before' } as const
export type Compare = keyof typeof COMPARES

export const AXES = { '': 'a chart for each unit', '2': 'two units in a chart' } as const
export type Axes = keyof typeof AXES

export function compareDays(compare: Compare): number {
  return { '': 0, '1d': 1, '7d': 7 }[compare]
}

export function parseView(query: URLSearchParams): View {
  const [agg, every, compare, axes] = ['agg', 'every', 'compare', 'axes'].map((name) => query.get(name) ?? '')
  return {
    select: query.getAll('select').filter((one) => one !== ''),
    range: parseRange(query),
    every: EVERY.find((one) => one === every) ?? '',
    agg: AGGREGATES.find((one) => one === agg) ?? 'mean',
    compare: compare !== undefined && Object.hasOwn(COMPARES, compare) ? (compare as Compare) : '',
    axes: axes !== undefined && Object.hasOwn(AXES, axes) ? (axes as Axes) : '',
    off: query.get('off') ?? '',
  }
}

export function exploreHref(view: View): string {
  const query = new URLSearchParams(view.select.map((one) => ['select', one]))
  if (view.every !== '') {
    query.set('every', view.every)
    query.set('agg', view.agg)
  }
  if (view.compare !== '') query.set('compare', view.compare)
  if (view.axes !== '') query.set('axes', view.axes)
  if (view.off !== '') query.set('off', view.off)
  const text = [query.toString(), rangeQuery(view.range)].filter(Boolean).join('&')
  return text === '' ? '#/explore' : `#/explore?${text}`
}
