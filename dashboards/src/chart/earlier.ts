// An earlier day laid over a later one by the wall time of a zone: noon is beside noon, also across a change of the clock. Pure.
import type { Point } from '@telltale/client'
import { instant, wall, type Zone } from '../zone'

export interface Earlier {
  days: number
  zone: Zone
}

const DAY = 86_400_000
/** Clocks change at the start of one. */
const QUARTER = 900_000

/** The instant that the clocks of the zone tell as this time so many days on, or back. */
export function shifted(time: number, days: number, zone: Zone): number {
  const whole = Math.floor(time)
  return instant(wall(whole, zone).getTime() + days * DAY, zone) + (time - whole)
}

/** The window so many days back; its ends stay in order where the clock goes back between them. */
export function shiftedWindow(from: number, to: number, { days, zone }: Earlier): { from: number; to: number } {
  const [a, b] = [shifted(from, -days, zone), shifted(to, -days, zone)]
  return { from: Math.min(a, b), to: Math.max(a, b) }
}

/** Points so many days on. An hour that the later day leaves out is not shown; of one that came twice, the first. */
export function shiftedPoints(points: readonly Point[], { days, zone }: Earlier): Point[] {
  const found: Point[] = []
  let quarter = Number.NaN
  let by: number | undefined
  let before = Number.NEGATIVE_INFINITY
  for (const [time, value] of points) {
    const start = Math.floor(time / QUARTER) * QUARTER
    if (start !== quarter) {
      quarter = start
      by = shiftOf(start, days, zone)
    }
    if (by === undefined || time + by <= before) continue
    before = time + by
    found.push([before, value])
  }
  return found
}

/** By how much this time is shifted; undefined where the clocks never tell the later one. */
function shiftOf(time: number, days: number, zone: Zone): number | undefined {
  const told = wall(time, zone).getTime() + days * DAY
  const later = instant(told, zone)
  return wall(later, zone).getTime() === told ? later - time : undefined
}
