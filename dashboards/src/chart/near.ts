// What costs time to make is made when it comes near to being seen.

/** As far outside of the window as `whenVisible` draws. */
const NEAR = '300px'

/** Runs once, when the element is in view or nearly; not at all when it is told to stop before. */
export function onceNear(element: Element, run: () => void): () => void {
  const observer = new IntersectionObserver(
    (entries) => {
      if (!entries.some((entry) => entry.isIntersecting)) return
      observer.disconnect()
      run()
    },
    { rootMargin: NEAR },
  )
  observer.observe(element)
  return () => observer.disconnect()
}
