// The time zone that times are shown in, and the calendar in it: the viewer's own, UTC, or one that was chosen, such as a
// site's. Wall times are worked out from the zone's offset, which is asked of the browser once a quarter of an hour of time.
import { signal } from '@preact/signals'

/** `local`, or an IANA name. */
export type Zone = string

const KEY = 'telltale.zone'
const MINUTE = 60_000
const QUARTER = 15 * MINUTE
const DAY = 86_400_000
const OFFSETS_KEPT = 4_096

// Before the zone that was chosen last is looked at, which asks for one.
const formatters = new Map<string, Intl.DateTimeFormat>()

export const zone = signal<Zone>(stored())

/** Rises with each choice of a zone or a first day that is made here; what a link tells is none. */
export const calendarChoices = signal(0)

export function setZone(next: Zone): void {
  calendarChoices.value += 1
  zone.value = isZone(next) ? next : 'local'
  try {
    if (zone.value === 'local') localStorage.removeItem(KEY)
    else localStorage.setItem(KEY, zone.value)
  } catch {
    // A browser that keeps nothing: the choice lasts as long as the page.
  }
}

/** As a link says it, for this visit: what was chosen on this browser stays for the next. What is no zone is none. */
export function showCalendar(told: { zone: string | undefined; week: number | undefined }): void {
  if (told.zone !== undefined && isZone(told.zone)) zone.value = told.zone
  if (isDay(told.week)) weekChoice.value = told.week
}

/** The IANA name, as the hub takes it in `tz`. */
export function zoneName(of: Zone = zone.value): string {
  if (of !== 'local') return of
  const own = Intl.DateTimeFormat().resolvedOptions().timeZone as string | undefined
  // What a browser says that cannot find out; the hub knows no such zone.
  return own === undefined || own === 'Etc/Unknown' ? 'UTC' : own
}

export function isZone(name: string): boolean {
  if (name === 'local') return true
  try {
    formatter(name)
    return true
  } catch {
    return false
  }
}

function stored(): Zone {
  try {
    const kept = localStorage.getItem(KEY) ?? 'local'
    return isZone(kept) ? kept : 'local'
  } catch {
    return 'local'
  }
}

/** A date whose UTC parts are the wall time in the zone. */
export function wall(time: number, of: Zone = zone.value): Date {
  return new Date(time + offsetMs(time, of))
}

/** The instant of a wall time; one that a clock change leaves out is that much later, one that comes twice is the first. */
export function instant(wallMs: number, of: Zone = zone.value): number {
  const guess = wallMs - offsetMs(wallMs, of)
  const before = wallMs - offsetMs(guess - 3 * 3_600_000, of)
  if (before + offsetMs(before, of) === wallMs) return before
  const after = wallMs - offsetMs(guess, of)
  return after + offsetMs(after, of) === wallMs ? after : before
}

/** A date that shows the wall time of the zone by its local parts, as uPlot reads it. */
export function asLocal(time: number, of: Zone = zone.value): Date {
  const w = wall(time, of)
  return new Date(
    w.getUTCFullYear(),
    w.getUTCMonth(),
    w.getUTCDate(),
    w.getUTCHours(),
    w.getUTCMinutes(),
    w.getUTCSeconds(),
    w.getUTCMilliseconds(),
  )
}

/** The start of the day `days` days from that of `time`. */
export function startOfDay(time: number, days = 0, of: Zone = zone.value): number {
  const w = wall(time, of)
  return instant(Date.UTC(w.getUTCFullYear(), w.getUTCMonth(), w.getUTCDate() + days), of)
}

/** The start of the week `weeks` from that of `time`; `first` is its first day, 1 for Monday to 7 for Sunday. */
export function startOfWeek(time: number, weeks = 0, first = weekStart(), of: Zone = zone.value): number {
  const day = wall(time, of).getUTCDay()
  return startOfDay(time, weeks * 7 - ((day - first + 7) % 7), of)
}

export function startOfMonth(time: number, months = 0, of: Zone = zone.value): number {
  const w = wall(time, of)
  return instant(Date.UTC(w.getUTCFullYear(), w.getUTCMonth() + months, 1), of)
}

const WEEK_KEY = 'telltale.week-start'
const DAYS = ['Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday', 'Sunday'] as const

/** The first day of a week that was chosen, 1 for Monday to 7 for Sunday. */
export const weekChoice = signal<number | undefined>(storedWeek())

export function setWeekStart(day: number | undefined): void {
  calendarChoices.value += 1
  weekChoice.value = isDay(day) ? day : undefined
  try {
    if (weekChoice.value === undefined) localStorage.removeItem(WEEK_KEY)
    else localStorage.setItem(WEEK_KEY, String(weekChoice.value))
  } catch {
    // A browser that keeps nothing: the choice lasts as long as the page.
  }
}

export function dayOfWeek(day: number): string {
  return DAYS[day - 1] ?? DAYS[0]
}

export function weekStart(): number {
  return weekChoice.value ?? localeWeekStart()
}

/** As the viewer's language has it; Monday where the browser does not say. */
export function localeWeekStart(language?: string): number {
  interface WithWeek {
    getWeekInfo?(): { firstDay: number }
    weekInfo?: { firstDay: number }
  }
  try {
    const locale = new Intl.Locale(language ?? navigator.language) as unknown as WithWeek
    return locale.getWeekInfo?.().firstDay ?? locale.weekInfo?.firstDay ?? 1
  } catch {
    // Some browsers say `en-US@posix` or nothing, which is no language that they know.
    return 1
  }
}

function isDay(day: number | undefined): boolean {
  return day !== undefined && Number.isInteger(day) && day >= 1 && day <= DAYS.length
}

function storedWeek(): number | undefined {
  try {
    const kept = Number(localStorage.getItem(WEEK_KEY) ?? Number.NaN)
    return isDay(kept) ? kept : undefined
  } catch {
    return undefined
  }
}

function formatter(name: string): Intl.DateTimeFormat {
  const known = formatters.get(name)
  if (known !== undefined) return known
  const made = new Intl.DateTimeFormat('en-US', {
    timeZone: name,
    hourCycle: 'h23',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
    second: 'numeric',
  })
  formatters.set(name, made)
  return made
}

const offsets = new Map<string, number>()

/** How far the zone's wall time is ahead of UTC. */
function offsetMs(time: number, of: Zone): number {
  if (of === 'UTC') return 0
  if (of === 'local') return -new Date(time).getTimezoneOffset() * MINUTE
  const quarter = Math.floor(time / QUARTER)
  const key = `${of} ${quarter}`
  const known = offsets.get(key)
  if (known !== undefined) return known
  if (offsets.size >= OFFSETS_KEPT) offsets.clear()
  const offset = askOffset(quarter * QUARTER, of)
  offsets.set(key, offset)
  return offset
}

function askOffset(time: number, of: Zone): number {
  const at: Record<string, number> = {}
  for (const { type, value } of formatter(of).formatToParts(time)) at[type] = Number(value)
  const { year = 1970, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = at
  const offset = Date.UTC(year, month - 1, day, hour, minute, second) - time
  // Beyond what a browser can tell the zone has no offset.
  return Math.abs(offset) > 2 * DAY ? 0 : offset
}
