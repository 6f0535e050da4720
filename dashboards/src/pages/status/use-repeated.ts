// What is asked again and again while its page is looked at.
import { useEffect } from 'preact/hooks'

/** Runs at once and then again and again, never two at a time, and not while the page is hidden. */
export function useRepeated(everyMs: number, run: () => Promise<void>): void {
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined
    let stopped = false
    const go = async () => {
      if (document.visibilityState === 'visible') await run()
      if (!stopped) timer = setTimeout(() => void go(), everyMs)
    }
    void go()
    return () => {
      stopped = true
      clearTimeout(timer)
    }
  }, [])
}
