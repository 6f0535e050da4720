// Times and values as words.
import { formatValue, scaleFor, unitName, type Value } from '@telltale/client'
import { wall } from './zone'

const STEPS: readonly (readonly [number, string])[] = [
  [86_400, 'd'],
  [3_600, 'h'],
  [60, 'min'],
  [1, 's'],
]

/** `3 s`, `5 min`, `2 h`, `4 d`. */
export function shortDuration(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000))
  for (const [size, unit] of STEPS) if (seconds >= size) return `${Math.floor(seconds / size)} ${unit}`
  return '0 s'
}

/** With the next smaller unit beside hours and days: `1 h 59 min`. */
export function duration(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000))
  const [whole, part] = seconds >= 86_400 ? [86_400, 3_600] : [3_600, 60]
  const rest = seconds % whole
  const more = seconds >= whole && rest >= part ? ` ${shortDuration(rest * 1000)}` : ''
  return `${shortDuration(ms)}${more}`
}

export function ago(time: number, now: number): string {
  const ms = now - time
  if (ms < 1_500) return 'now'
  return `${shortDuration(ms)} ago`
}

const pad = (n: number, width = 2) => String(n).padStart(width, '0')
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']

export function clockTime(time: number, withSeconds = true): string {
  const w = wall(time)
  const hm = `${pad(w.getUTCHours())}:${pad(w.getUTCMinutes())}`
  return withSeconds ? `${hm}:${pad(w.getUTCSeconds())}` : hm
}

/** `22 Nov`. */
export function dayName(time: number): string {
  const w = wall(time)
  return `${w.getUTCDate()} ${MONTHS[w.getUTCMonth()] ?? ''}`
}

/** `Nov 2026`. */
export function monthName(time: number): string {
  const w = wall(time)
  return `${MONTHS[w.getUTCMonth()] ?? ''} ${w.getUTCFullYear()}`
}

/** `14:03:12` today, `22 Nov 14:03` else, with the year when it is another. */
export function moment(time: number, now: number): string {
  const day = dayBefore(time, now)
  return day === '' ? clockTime(time) : `${day} ${clockTime(time, false)}`
}

/** `14:03:12` today, `22 Nov 14:03:12` else: what is looked at closely. Below a second with its parts. */
export function closeMoment(time: number, now: number, withParts = false): string {
  const day = dayBefore(time, now)
  const parts = withParts ? `.${pad(wall(Math.floor(time)).getUTCMilliseconds(), 3)}` : ''
  return `${day === '' ? '' : `${day} `}${clockTime(time)}${parts}`
}

/** Windows shorter than these are told with seconds, and with their parts. */
const WITH_SECONDS_MS = 2 * 3_600_000
export const WITH_PARTS_MS = 5_000

/** `22 Nov 14:03 – 17:03`: the day once where it is one, and as exact as its length asks for. */
export function windowText(from: number, to: number, now: number): string {
  const [first, last] = [dayBefore(from, now), dayBefore(to, now)]
  const time = (at: number) => {
    if (to - from >= WITH_SECONDS_MS) return clockTime(at, false)
    return to - from >= WITH_PARTS_MS ? clockTime(at) : closeMoment(at, at, true)
  }
  const end = first === last && dayName(from) === dayName(to) ? '' : last === '' ? `${dayName(to)} ` : `${last} `
  return `${first === '' && end === '' ? '' : `${first || dayName(from)} `}${time(from)} – ${end}${time(to)}`
}

/** The day, with the year where it is another; empty for today. */
function dayBefore(time: number, now: number): string {
  const [w, n] = [wall(time), wall(now)]
  const sameYear = w.getUTCFullYear() === n.getUTCFullYear()
  if (sameYear && w.getUTCMonth() === n.getUTCMonth() && w.getUTCDate() === n.getUTCDate()) return ''
  return `${dayName(time)}${sameYear ? '' : ` ${w.getUTCFullYear()}`}`
}

export function valueText(value: Value, unit: string, decimals?: number): string {
  if (typeof value === 'number') return formatValue(value, unit, decimals)
  if (typeof value === 'boolean') return value ? 'on' : 'off'
  return value
}

/** So many characters are read at a glance; with more a prefix is no help. */
const GLANCE = 9

/** A value with every figure it has, as under a crosshair: with a prefix where that is exact and short. */
export function exactText(value: Value, unit: string): string {
  if (typeof value !== 'number') return valueText(value, unit)
  const scale = scaleFor(unit, value)
  const scaled = Number((value / scale.divisor).toPrecision(15))
  const isExact =
    unit !== '' && scale.divisor !== 1 && scaled * scale.divisor === value && String(scaled).length <= GLANCE
  const [figures, name] = isExact ? [scaled, scale.unit] : [value, unitName(unit)]
  const about = mayBeRounded(value) ? '≈ ' : ''
  return `${about}${String(figures).replace('-', '\u2212')}${name === '' ? '' : ` ${name}`}`
}

/** An integer that the hub holds to the last figure, and that a number of the browser may have rounded. */
function mayBeRounded(value: number): boolean {
  return Number.isInteger(value) && Math.abs(value) > Number.MAX_SAFE_INTEGER && Math.abs(value) <= 2 ** 63
}

/** The hub's messages, made for logs and programs too, as sentences: a capital first, a full stop last. */
export function sentence(text: string): string {
  const whole = /[.!?:…]$/.test(text) ? text : `${text}.`
  // A name or a command in quotes stays as it is.
  return whole.charAt(0).toUpperCase() + whole.slice(1)
}
