// Whether anybody can see the page. A hidden one asks nothing again and again: a question that falls due then waits, and is asked at
// once when the page is shown. Only what a page needs first is asked for also in a tab that was opened in the background.

export function isHidden(): boolean {
  return document.visibilityState === 'hidden'
}

/**
 * Runs after so long, but never while the page is hidden: then at once when it is shown. The clock counts too, since timers are held
 * up where a machine sleeps or a browser saves work. Gives what calls it off.
 */
export function afterShown(ms: number, run: () => void): () => void {
  const due = Date.now() + ms
  let isDue = false
  const stop = () => {
    clearTimeout(timer)
    document.removeEventListener('visibilitychange', look)
  }
  const look = () => {
    if (isHidden() || !(isDue || Date.now() >= due)) return
    stop()
    run()
  }
  const timer = setTimeout(() => {
    isDue = true
    look()
  }, ms)
  document.addEventListener('visibilitychange', look)
  return stop
}

/** Runs at once, and again so long after each time that it was done: never two at a time, nor again while the page is hidden. */
export function repeated(afterMs: () => number, run: () => Promise<void>): () => void {
  let isOver = false
  let callOff = (): void => undefined
  const go = async () => {
    await run()
    if (!isOver) callOff = afterShown(afterMs(), () => void go())
  }
  void go()
  return () => {
    isOver = true
    callOff()
  }
}
