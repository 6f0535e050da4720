// What is asked of the hub for a window of time: again while the window moves and when a hub that was away is back, and given up
// when nobody looks any more. A hidden page asks nothing again.
import { type Signal, useSignal } from '@preact/signals'
import { useEffect } from 'preact/hooks'
import { ADDRESS_PAUSE_MS } from './address'
import { afterShown } from './hidden'
import type { TimeRange } from './range'
import { failureText, isAway } from './rest'

interface Asking {
  range: TimeRange
  /** What else the question depends on. */
  of: readonly unknown[]
  againMs: number
  /** Said of a failure that the hub has no words for. */
  otherwise: string
  /** Asks, and keeps the answer. */
  load(signal: AbortSignal): Promise<void>
}

/** Gives what went wrong last, or nothing. */
export function useAsked({ range, of, againMs, otherwise, load }: Asking): Signal<string> {
  const error = useSignal('')
  useEffect(() => {
    const stop = new AbortController()
    const ask = async () => {
      let again = range.kind !== 'fixed'
      try {
        await load(stop.signal)
        error.value = ''
      } catch (caught) {
        if (stop.signal.aborted) return
        error.value = failureText(caught, otherwise)
        // A hub that was away answers later.
        again ||= isAway(caught)
      }
      if (again && !stop.signal.aborted) callOff = afterShown(againMs, () => void ask())
    }
    // A window that follows the hand is asked for when it rests.
    let callOff = afterShown(ADDRESS_PAUSE_MS, () => void ask())
    return () => {
      stop.abort()
      callOff()
    }
  }, [...of, JSON.stringify(range)])
  return error
}
