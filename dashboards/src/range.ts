// The time a chart shows: the last so much, sliding, or from here to there.
import { durationMs } from '@telltale/client'

export type TimeRange = { kind: 'last'; span: string } | { kind: 'fixed'; from: number; to: number }

export const SPANS = ['5m', '15m', '1h', '6h', '24h', '7d', '30d'] as const
export const DEFAULT_RANGE: TimeRange = { kind: 'last', span: '15m' }

export function spanMs(range: TimeRange): number {
  return range.kind === 'last' ? durationMs(range.span) : range.to - range.from
}

export function windowOf(range: TimeRange, now: number): { from: number; to: number } {
  return range.kind === 'last' ? { from: now - spanMs(range), to: now } : { from: range.from, to: range.to }
}

/** From the query of an address: `range=1h` or `from=…&to=…` in ms. */
export function parseRange(query: URLSearchParams): TimeRange {
  const from = Number(query.get('from') ?? Number.NaN)
  const to = Number(query.get('to') ?? Number.NaN)
  if (from < to) return { kind: 'fixed', from, to }
  const span = query.get('range') ?? ''
  try {
    return durationMs(span) > 0 ? { kind: 'last', span } : DEFAULT_RANGE
  } catch {
    return DEFAULT_RANGE
  }
}

export function rangeQuery(range: TimeRange): string {
  if (range.kind === 'fixed') return `from=${Math.round(range.from)}&to=${Math.round(range.to)}`
  return range.span === (DEFAULT_RANGE.kind === 'last' ? DEFAULT_RANGE.span : '') ? '' : `range=${range.span}`
}
