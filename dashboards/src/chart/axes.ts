// Tick texts of the charts: 24-hour times in the zone that was chosen, values with one prefix for the whole axis.
import { decimalsOf, scaleFor } from '@telltale/client'
import uPlot from 'uplot'
import { clockTime, dayName, monthName } from '../words'
import { wall } from '../zone'

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

const TICK_DECIMALS = 6

/** Ticks with as many decimals as their distance needs, and one prefix for the whole axis. */
export function valueTicks(values: readonly number[], unit: string): string[] {
  const largest = values.reduce((most, v) => Math.max(most, Math.abs(v)), 0)
  const scale = scaleFor(unit, largest)
  const step = Math.abs((values[1] ?? 1) - (values[0] ?? 0)) / scale.divisor
  const most = Math.min(TICK_DECIMALS, Math.max(0, Math.ceil(-Math.log10(step))) + 2)
  const decimals = step > 0 ? decimalsOf(step, most) : 0
  return values.map((v) => {
    const figures = (v / scale.divisor).toFixed(decimals).replace('-', '\u2212')
    return scale.unit === '' ? figures : `${figures} ${scale.unit}`
  })
}

/** What hardly moves looks flat: an axis never shows less than this part of its values. */
const LEAST_SPAN = 0.002

export function valueRange(low: number, high: number): [number, number] {
  if (low === null || high === null || !Number.isFinite(low) || !Number.isFinite(high)) return [0, 1]
  const least = Math.max(Math.abs(low), Math.abs(high)) * LEAST_SPAN
  const missing = Math.max(0, least - (high - low)) / 2
  const [from, to] = uPlot.rangeNum(low - missing, high + missing, 0.1, true)
  return [from ?? 0, to ?? 1]
}

/** Steps of an axis in bytes fall on powers of two, so that the ticks are round in KiB and MiB. */
export function binarySteps(): number[] {
  return Array.from({ length: 60 }, (_, i) => 2 ** (i - 4))
}
