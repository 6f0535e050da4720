// Who works with keys, and presses what goes away with the press, goes on beside it and not at the top of the page.
import { useEffect, useRef } from 'preact/hooks'

/** When `changed` does, and with it went what had the focus, that is given to the first of `within` in the element. */
export function useKeptFocus(element: { current: HTMLElement | null }, changed: unknown, within: string): void {
  const before = useRef(changed)
  useEffect(() => {
    if (before.current === changed) return
    before.current = changed
    const { activeElement, body } = document
    if (activeElement === null || activeElement === body) element.current?.querySelector<HTMLElement>(within)?.focus()
  }, [changed])
}
