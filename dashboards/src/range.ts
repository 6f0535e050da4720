// The time a chart shows: the last so much, sliding; a day, week or month of the calendar; or from here to there.
import { durationMs } from '@telltale/client'
import { startOfDay, startOfMonth, startOfWeek, wall } from './zone'

export type TimeRange =
  | { kind: 'last'; span: string }
  | { kind: 'calendar'; name: CalendarName }
  | { kind: 'fixed'; from: number; to: number }

export const SPANS = ['5m', '15m', '1h', '6h', '24h', '7d', '30d'] as const
export const MORE_SPANS = ['90d', '365d'] as const
export const DEFAULT_RANGE: TimeRange = { kind: 'last', span: '15m' }

const CALENDAR = {
  today: { text: 'Today', window: (now: number) => [startOfDay(now), startOfDay(now, 1)] },
  yesterday: { text: 'Yesterday', window: (now: number) => [startOfDay(now, -1), startOfDay(now)] },
  week: { text: 'This week', window: (now: number) => [startOfWeek(now), startOfWeek(now, 1)] },
  'last-week': { text: 'Last week', window: (now: number) => [startOfWeek(now, -1), startOfWeek(now)] },
  month: { text: 'This month', window: (now: number) => [startOfMonth(now), startOfMonth(now, 1)] },
  'last-month': { text: 'Last month', window: (now: number) => [startOfMonth(now, -1), startOfMonth(now)] },
} as const satisfies Record<string, { text: string; window(now: number): [number, number] }>

export type CalendarName = keyof typeof CALENDAR
export const CALENDAR_NAMES = Object.keys(CALENDAR) as CalendarName[]

export function calendarText(name: CalendarName): string {
  return CALENDAR[name].text
}

/** A chart of less is nothing to look at, and of more nothing that exists. */
export const LEAST_MS = 10
export const MOST_MS = 50 * 366 * 86_400_000
/** Past this there are no dates, nor soon before it. */
const FURTHEST_MS = 8.6e15

export function spanMs(range: TimeRange, now: number): number {
  const { from, to } = windowOf(range, now)
  return to - from
}

export function windowOf(range: TimeRange, now: number): { from: number; to: number } {
  switch (range.kind) {
    case 'last':
      return { from: now - durationMs(range.span), to: now }
    case 'calendar': {
      const [from, to] = CALENDAR[range.name].window(now)
      return { from, to }
    }
    case 'fixed':
      return { from: range.from, to: range.to }
  }
}

/** The window moved by `parts` of its length. */
export function moved(window: { from: number; to: number }, parts: number): TimeRange {
  const by = (window.to - window.from) * parts
  return { kind: 'fixed', from: window.from + by, to: window.to + by }
}

/** The window `factor` times as long, with `at` (0 to 1 of its width) in its place. */
export function zoomed(window: { from: number; to: number }, factor: number, at = 0.5): TimeRange {
  const length = window.to - window.from
  const next = Math.min(MOST_MS, Math.max(LEAST_MS, length * factor))
  const from = window.from + (length - next) * at
  return { kind: 'fixed', from, to: from + next }
}

/** From the query of an address: `range=1h`, `range=today`, or `from=…&to=…` in ms. What no chart can show is the usual range. */
export function parseRange(query: URLSearchParams): TimeRange {
  const from = Number(query.get('from') ?? Number.NaN)
  const to = Number(query.get('to') ?? Number.NaN)
  if (isWindow(from, to)) return { kind: 'fixed', from, to }
  const span = query.get('range') ?? ''
  if (Object.hasOwn(CALENDAR, span)) return { kind: 'calendar', name: span as CalendarName }
  try {
    const length = durationMs(span)
    return length > 0 && length <= MOST_MS ? { kind: 'last', span } : DEFAULT_RANGE
  } catch {
    return DEFAULT_RANGE
  }
}

/** The last so long, as it is typed: `90m`, `12 h`; undefined where that is no length or none that a chart can show. */
export function lastSpan(text: string): TimeRange | undefined {
  const span = text.replaceAll(' ', '').toLowerCase()
  try {
    const length = durationMs(span)
    return length >= LEAST_MS && length <= MOST_MS ? { kind: 'last', span } : undefined
  } catch {
    return undefined
  }
}

function isWindow(from: number, to: number): boolean {
  return from < to && to - from <= MOST_MS && from >= -FURTHEST_MS && to <= FURTHEST_MS
}

export function rangeQuery(range: TimeRange): string {
  switch (range.kind) {
    case 'fixed':
      return `from=${Math.round(range.from)}&to=${Math.round(range.to)}`
    case 'calendar':
      return `range=${range.name}`
    case 'last':
      return DEFAULT_RANGE.kind === 'last' && range.span === DEFAULT_RANGE.span ? '' : `range=${range.span}`
  }
}

/** `2026-11-30T14:05:09` in the zone, as a field of date and time takes it. */
export function fieldText(time: number): string {
  return wall(time).toISOString().slice(0, 19)
}

/** What a gesture makes of the range that is shown now. */
export function changed(
  query: URLSearchParams,
  change: (window: { from: number; to: number }) => TimeRange,
  now: number,
): TimeRange {
  return change(windowOf(parseRange(query), now))
}
