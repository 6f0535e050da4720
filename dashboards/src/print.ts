// The page on paper. A style sheet turns what is made of elements to white paper and no controls; charts are pixels, so they are drawn
// anew, in light colours and as wide as the paper, before the printer sees them, and again when it is done.
import { signal } from '@preact/signals'
import { colourVersion } from './theme'

/** Whether the page is being printed, or shown as if. */
export const printing = signal(false)

export function followPrint(): void {
  const media = matchMedia('print')
  const set = (on: boolean) => {
    if (on === printing.peek()) return
    printing.value = on
    document.documentElement.toggleAttribute('data-printing', on)
    colourVersion.value += 1
  }
  window.addEventListener('beforeprint', () => set(true))
  window.addEventListener('afterprint', () => set(false))
  media.addEventListener('change', () => set(media.matches))
}
