// The disk in words: what is left, and when it is full at the rate that readings come now. Pure.
import { formatValue } from '@telltale/client'
import type { Disk } from '../../hub/disk'
import { dayName, shortDuration } from '../../words'
import { wall } from '../../zone'

const DAY_S = 86_400
const YEAR_S = 365.25 * DAY_S
const FAR_S = 100 * YEAR_S

const bytes = (value: number) => formatValue(value, 'B')

/** `now` is the hub's time, ms. */
export function forecastText({ forecast, expiresByAge }: Disk, now: number): string {
  if (forecast === undefined) {
    return 'When it is full is not known yet: that takes ten minutes of readings, and some that are sealed, which they are every two hours.'
  }
  const { fullInS, fullOf, measuredS, bytesPerDay, readingsPerS, bytesPerReading } = forecast
  const rate = `${formatValue(readingsPerS, '/s')} of ${formatValue(bytesPerReading, 'B', 2)} each, ${bytes(bytesPerDay)} a day`
  const measured = `By the readings of the last ${shortDuration(measuredS * 1000)} (${rate})`
  if (fullInS === undefined) return `${measured} it does not fill.`
  if (fullInS > FAR_S) return `${measured} it is not full within a hundred years.`
  const when = `in ${longDuration(fullInS)}, ${dateOf(now + fullInS * 1000, now)}`
  const soonest = expiresByAge ? ' Readings also go by their age, so this is the soonest.' : ''
  if (fullOf === 'disk') return `${measured} it is full ${when}. Then readings are refused.${soonest}`
  if (fullInS <= 0) return `[store] max_bytes is reached: the oldest days go.`
  return `${measured} [store] max_bytes is reached ${when}. Then the oldest days go.${soonest}`
}

/** What the data directory takes, of which bound. */
export function usedText({ usedBytes, maxBytes, sizeBytes }: Disk): string {
  const bound = maxBytes === undefined ? '' : ` of ${bytes(maxBytes)} that it may take`
  const size = sizeBytes === undefined ? '' : `, on a disk of ${bytes(sizeBytes)}`
  return `The hub takes ${bytes(usedBytes)}${bound}${size}.`
}

/** Fuller than this, or full within a week: somebody should look. */
export function isShort({ freeBytes, sizeBytes, reserveBytes, forecast }: Disk): boolean {
  if (freeBytes !== undefined && sizeBytes !== undefined && freeBytes - reserveBytes < sizeBytes / 20) return true
  return forecast?.fullOf === 'disk' && forecast.fullInS !== undefined && forecast.fullInS < 7 * DAY_S
}

function longDuration(seconds: number): string {
  if (seconds < 2 * YEAR_S) return shortDuration(seconds * 1000)
  return `${Math.floor(seconds / YEAR_S)} years`
}

function dateOf(time: number, now: number): string {
  const year = wall(time).getUTCFullYear()
  return year === wall(now).getUTCFullYear() ? dayName(time) : `${dayName(time)} ${year}`
}
