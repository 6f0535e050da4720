// The zone and the first day of a week in the address of a page of charts: a link then shows the days that were looked at, whoever
// opens it. Pure: `route` applies it.
import type { Zone } from './zone'

export interface Calendar {
  zone: Zone
  /** 1 for Monday to 7 for Sunday; undefined where none was chosen. */
  week: number | undefined
}

const WEEKS = new Set(['week', 'last-week'])

/** What an address says of them. */
export function calendarOf(query: URLSearchParams): { zone: string | undefined; week: number | undefined } {
  const week = Number(query.get('week') ?? Number.NaN)
  return {
    zone: query.get('tz') ?? undefined,
    week: Number.isInteger(week) && week >= 1 && week <= 7 ? week : undefined,
  }
}

/** The query with what is shown; undefined where it says so already. The first day is said where weeks are shown. */
export function withCalendar(query: URLSearchParams, { zone, week }: Calendar): URLSearchParams | undefined {
  const next = new URLSearchParams(query)
  const hasWeeks = WEEKS.has(query.get('range') ?? '') || (query.get('every') ?? '').endsWith('w')
  put(next, 'tz', zone === 'local' ? undefined : zone)
  put(next, 'week', hasWeeks && week !== undefined ? String(week) : undefined)
  return next.toString() === query.toString() ? undefined : next
}

function put(query: URLSearchParams, name: string, value: string | undefined): void {
  if (value === undefined) query.delete(name)
  else if (query.get(name) !== value) query.set(name, value)
}
