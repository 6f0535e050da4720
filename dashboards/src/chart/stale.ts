// Since when a series is silent for much longer than it usually is. Pure.
import { type DeviceState, type Source, usualStep } from '@telltale/client'

/** As the hub tells of devices: three usual steps, and never sooner than this. */
const STEPS = 3
const LEAST_MS = 60_000

/**
 * The time of the last reading of a series that should have had another by now. Of one whose step is not known the state of its
 * device decides.
 */
export function staleSince(
  last: number | undefined,
  recent: Source | undefined,
  state: DeviceState | undefined,
  now: number,
): number | undefined {
  if (last === undefined || now - last <= LEAST_MS) return undefined
  const step = recent === undefined ? Number.NaN : usualStep(recent)
  if (Number.isNaN(step)) return state === undefined || state === 'online' ? undefined : last
  return now - last > STEPS * step ? last : undefined
}
