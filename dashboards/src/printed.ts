// What is printed of times: paper outlives the day, the zone and the page, so all of it is said. Pure.
import { type TimeRange, windowOf } from './range'
import { clockTime, dayName } from './words'
import { wall, zoneName } from './zone'

export function printedRange(range: TimeRange, now: number): string {
  const { from, to } = windowOf(range, now)
  return `${stamp(from)} to ${stamp(to)}, ${zoneText(from, to)}`
}

/** `30 Nov 2026 14:05:09`. */
export function stamp(time: number): string {
  return `${dayName(time)} ${wall(time).getUTCFullYear()} ${clockTime(time)}`
}

/** `Europe/Berlin (UTC+01:00)`; both where the clock changes between. */
export function zoneText(from: number, to: number): string {
  const offsets = new Set([from, to].map(offsetText))
  return `${zoneName()} (${[...offsets].join(' and ')})`
}

function offsetText(time: number): string {
  const whole = Math.floor(time)
  const minutes = Math.round((wall(whole).getTime() - whole) / 60_000)
  const two = (n: number) => String(n).padStart(2, '0')
  const away = Math.abs(minutes)
  return `UTC${minutes < 0 ? '−' : '+'}${two(Math.floor(away / 60))}:${two(away % 60)}`
}
