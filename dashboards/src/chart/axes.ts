// Tick texts of the charts: 24-hour times in the zone that was chosen, values with one prefix for the whole axis.
import { decimalsOf, type Scale, scaleFor, unitName } from '@telltale/client'
import uPlot from 'uplot'
import { clockTime, dayName, monthName } from '../words'
import { instant, startOfMonth, wall } from '../zone'

export function timeTicks(seconds: readonly number[], stepSeconds: number): string[] {
  return seconds.map((s) => {
    const ms = s * 1000
    const w = wall(ms)
    if (stepSeconds >= 27 * 86_400) return monthName(ms)
    if (stepSeconds >= 86_400 || w.getTime() % 86_400_000 === 0) return dayName(ms)
    if (stepSeconds < 1) return `${clockTime(ms)}.${String(Math.round(w.getUTCMilliseconds())).padStart(3, '0')}`
    return clockTime(ms, stepSeconds < 60)
  })
}

/** Pixels that a tick of time takes, where [from, to] is so many seconds over so many pixels. */
export function timeSpace(seconds: number, pixels: number): number {
  const step = (seconds / Math.max(1, pixels)) * TIME_SPACE.clock
  if (step < 1) return TIME_SPACE.parts
  return step < 60 || step >= 27 * 86_400 ? TIME_SPACE.long : TIME_SPACE.clock
}

/** `14:05`; `14:05:09` and `Nov 2026`; `14:05:09.250`. */
const TIME_SPACE = { clock: 52, long: 64, parts: 88 } as const

const SECOND = 1000
const DAY = 86_400 * SECOND
/** Steps of an axis of time that end with the day they are in, and then days. */
const TIME_STEPS = [
  ...[0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800],
  ...[3_600, 7_200, 10_800, 21_600, 43_200].concat([1, 2, 5, 10].map((days) => days * 86_400)),
].map((seconds) => seconds * SECOND)
const DECADE = 120
const MONTH_STEPS = [1, 2, 3, 6, 12, 24, 60, DECADE]

export interface TimeTick {
  time: number
  text: string
}

/** Ticks of [from, to] over so many pixels, on round times of the clocks of the zone. */
export function ticksWithin(from: number, to: number, pixels: number): TimeTick[] {
  const least = ((to - from) / Math.max(1, pixels)) * timeSpace((to - from) / SECOND, pixels)
  const step = TIME_STEPS.find((one) => one >= least)
  const times = step === undefined ? months(from, to, least) : clockTimes(from, to, step)
  const seconds = (step ?? 28 * DAY) / SECOND
  const texts = timeTicks(
    times.map((time) => time / SECOND),
    seconds,
  )
  return times.map((time, i) => ({ time, text: texts[i] ?? '' }))
}

function clockTimes(from: number, to: number, step: number): number[] {
  const times: number[] = []
  const began = wall(Math.floor(from)).getTime()
  for (let at = Math.ceil(began / step) * step; times.length < TICKS_MOST; at += step) {
    const time = instant(at)
    if (time > to) break
    // An hour that the clock leaves out is told once.
    if (time >= from && time !== times.at(-1)) times.push(time)
  }
  return times
}

function months(from: number, to: number, least: number): number[] {
  const step = MONTH_STEPS.find((one) => one * 28 * DAY >= least) ?? Math.ceil(least / (DECADE * 28 * DAY)) * DECADE
  const times: number[] = []
  const first = wall(from)
  const began = first.getUTCFullYear() * 12 + first.getUTCMonth()
  for (let at = Math.ceil(began / step) * step; times.length < TICKS_MOST; at += step) {
    const time = startOfMonth(from, at - began)
    if (time > to) break
    if (time >= from) times.push(time)
  }
  return times
}

/** No screen is so wide. */
const TICKS_MOST = 500

const TICK_DECIMALS = 6
/** With more a smaller prefix is easier to read; half an hour is, a quarter is 15 minutes. */
const PREFIX_DECIMALS = 3
const TIME_DECIMALS = 1

/** The prefix of the largest value, or a smaller one in which the distance of the ticks is a plain number. */
function tickScale(unit: string, largest: number, step: number): Scale {
  let scale = scaleFor(unit, largest)
  const most = unitName(unit) === 's' ? TIME_DECIMALS : PREFIX_DECIMALS
  while (scale.divisor > 1 && decimalsOf(step / scale.divisor) > most) {
    const smaller = scaleFor(unit, scale.divisor * 0.999)
    if (smaller.divisor >= scale.divisor) break
    scale = smaller
  }
  return scale
}

/** Ticks with as many decimals as their distance needs, and one prefix for the whole axis. */
export function valueTicks(values: readonly number[], unit: string): string[] {
  const largest = values.reduce((most, v) => Math.max(most, Math.abs(v)), 0)
  const apart = Math.abs((values[1] ?? 1) - (values[0] ?? 0))
  const scale = tickScale(unit, largest, apart)
  const step = apart / scale.divisor
  const unitText = scale.unit === '' || scale.unit.length > UNIT_MOST ? '' : ` ${scale.unit}`
  if (largest / scale.divisor >= POWERS_FROM || (step > 0 && step < POWERS_BELOW)) {
    return values.map((v) => `${powerText(v / scale.divisor, largest / scale.divisor, step)}${unitText}`)
  }
  const most = Math.min(TICK_DECIMALS, Math.max(0, Math.ceil(-Math.log10(step))) + 2)
  const decimals = step > 0 ? decimalsOf(step, most) : 0
  return values.map((v) => {
    const figures = (v / scale.divisor).toFixed(decimals).replace('-', '\u2212')
    return `${figures}${unitText}`
  })
}

/** A longer unit would leave a phone no room for the line; the head of the chart and its legend have it. */
const UNIT_MOST = 8
/** Ticks of more figures, or of steps that no decimals tell, are powers of ten. */
const POWERS_FROM = 1e9
const POWERS_BELOW = 1e-6

/** `9.005e15`, with the figures that the steps need. */
function powerText(value: number, largest: number, step: number): string {
  if (value === 0) return '0'
  const figures = Math.floor(Math.log10(largest)) - Math.floor(Math.log10(step)) + 1
  const text = value.toExponential(Math.min(15, Math.max(0, figures)))
  return text
    .replace(/\.?0+e/, 'e')
    .replace('e+', 'e')
    .replaceAll('-', '\u2212')
}

/** What hardly moves looks flat: an axis never shows less than this part of its values. */
const LEAST_SPAN = 0.002

export function valueRange(low: number, high: number): [number, number] {
  if (low === null || high === null || !Number.isFinite(low) || !Number.isFinite(high)) return [0, 1]
  if (low === 0 && high === 0) return [0, 1]
  const least = Math.max(Math.abs(low), Math.abs(high)) * LEAST_SPAN
  const missing = Math.max(0, least - (high - low)) / 2
  const [from, to] = uPlot.rangeNum(low - missing, high + missing, 0.1, true).map((end) => end ?? Number.NaN) as [
    number,
    number,
  ]
  // What reaches from one end of all numbers to the other has no length that is a number.
  return Number.isFinite(to - from) ? [from, to] : [-Number.MAX_VALUE / 2, Number.MAX_VALUE / 2]
}

/** Steps of an axis of values: those of bytes and of seconds are round in KiB and in minutes. */
export function stepsOf(unit: string): number[] {
  const name = unitName(unit)
  if (name === 'B' || name === 'B/s') return Array.from({ length: 60 }, (_, i) => 2 ** (i - 4))
  return name === 's' ? SECONDS : TENS
}

/** As uPlot has them, and on to the largest numbers there are: without a step an axis is blank. */
const TENS = Array.from({ length: 340 }, (_, i) => i - 32).flatMap((power) =>
  [1, 2, 2.5, 5].map((of) => Number(`${of}e${power}`)),
)

const tens = (from: number, to: number, unit = 1) =>
  Array.from({ length: to - from }, (_, i) => 10 ** (from + i)).flatMap((ten) => [1, 2, 5].map((of) => of * ten * unit))

const SECONDS = [
  ...tens(-9, 0),
  ...[1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 10_800, 21_600, 43_200],
  ...tens(0, 6, 86_400),
]
