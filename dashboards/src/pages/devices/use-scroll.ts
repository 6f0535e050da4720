// Where the list was when it was left: who comes back, by whichever way, finds it there.
import { useEffect } from 'preact/hooks'
import { onFrame, requestFrame } from '../../frame'
import { route } from '../../route'

/** The list takes a few frames until it is as high as it was. */
const WAIT_MS = 1_000

let left = { href: '', top: 0 }

export function useScrollKept(href: string): void {
  useEffect(() => {
    const { top } = left
    // The address without filters is that of the list as it was left.
    const stop = top > 0 && (href === left.href || href === '#/') ? scrollWhenHigh(top) : undefined
    return stop
  }, [])
  useEffect(() => {
    const keep = () => {
      // A page that is on its way out scrolls once more, since it has nothing left.
      if (route.peek().page === 'devices') left = { href, top: scrollY }
    }
    keep()
    addEventListener('scroll', keep, { passive: true })
    return () => removeEventListener('scroll', keep)
  }, [href])
}

function scrollWhenHigh(top: number): () => void {
  const until = performance.now() + WAIT_MS
  const stop = onFrame(() => {
    if (document.documentElement.scrollHeight - innerHeight >= top) {
      scrollTo(0, top)
      stop()
    } else if (performance.now() > until) stop()
    else requestFrame()
  })
  return stop
}
