// What is asked again and again while its page is looked at.
import { useEffect } from 'preact/hooks'
import { repeated } from '../../hidden'

/** Runs at once and then so long after each time; while the page is hidden it waits, and runs at once when the page is shown. */
export function useRepeated(everyMs: number, run: () => Promise<void>): void {
  useEffect(() => repeated(() => everyMs, run), [])
}
