// What is asked when the hub refused a subscription, and when. Pure.
import type { HubError, SubscribeRequest } from '@telltale/client'

/** The hub was busy: it is asked the same again after so long. */
const BUSY_MS = 4_000

export interface Again {
  request: SubscribeRequest
  afterMs: number
}

/** Undefined: the same answer would come again. */
export function askedAgain(request: SubscribeRequest, error: HubError): Again | undefined {
  if (error.code === 'too_slow') return { request, afterMs: BUSY_MS }
  if (error.code !== 'too_many_points' || request.history === undefined) return undefined
  // The last values alone, and what comes from now on; charts ask history for the rest.
  const { history: _, points: __, ...rest } = request
  return { request: rest, afterMs: 0 }
}
