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
  const w = wall(time)
  const n = wall(now)
  const sameYear = w.getUTCFullYear() === n.getUTCFullYear()
  if (sameYear && w.getUTCMonth() === n.getUTCMonth() && w.getUTCDate() === n.getUTCDate()) return clockTime(time)
  return `${dayName(time)}${sameYear ? '' : ` ${w.getUTCFullYear()}`} ${clockTime(time, false)}`
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
  return `${String(figures).replace('-', '\u2212')}${name === '' ? '' : ` ${name}`}`
}

/** The hub's messages, made for logs and programs too, as sentences: a capital first, a full stop last. */
export function sentence(text: string): string {
  const whole = /[.!?:…]$/.test(text) ? text : `${text}.`
  // A name or a command in quotes stays as it is.
  return whole.charAt(0).toUpperCase() + whole.slice(1)
}
