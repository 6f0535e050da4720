// Light, dark, or as the system has it. Colours are tokens in CSS; a canvas asks for the resolved ones here.
import { effect, signal } from '@preact/signals'

export type Theme = 'system' | 'light' | 'dark'
const KEY = 'telltale.theme'

function stored(): Theme {
  try {
    const text = localStorage.getItem(KEY)
    return text === 'light' || text === 'dark' ? text : 'system'
  } catch {
    return 'system'
  }
}

export const theme = signal<Theme>(stored())
/** Rises when colours may have changed, so that canvases draw anew. */
export const colourVersion = signal(0)
/** Whoever asked the system for less motion gets charts that move in steps. */
export const lessMotion = signal(false)

export function followTheme(): void {
  effect(() => {
    const chosen = theme.value
    document.documentElement.dataset.theme = chosen
    try {
      if (chosen === 'system') localStorage.removeItem(KEY)
      else localStorage.setItem(KEY, chosen)
    } catch {
      // A browser that keeps nothing: the choice lasts as long as the page.
    }
    colourVersion.value = colourVersion.peek() + 1
  })
  const calm = matchMedia('(prefers-reduced-motion: reduce)')
  lessMotion.value = calm.matches
  calm.addEventListener('change', () => {
    lessMotion.value = calm.matches
  })
  for (const query of ['(prefers-color-scheme: dark)', '(forced-colors: active)']) {
    matchMedia(query).addEventListener('change', () => {
      colourVersion.value += 1
    })
  }
}

let probe: HTMLElement | undefined
/** Asking costs a pass over all styles, and each chart asks a dozen times for each drawing. */
const resolved = { version: -1, colours: new Map<string, string>() }

/** A colour token as the canvas understands it; custom properties alone do not resolve `light-dark()`. */
export function colour(token: string): string {
  if (resolved.version !== colourVersion.peek()) {
    resolved.version = colourVersion.peek()
    resolved.colours.clear()
  }
  const known = resolved.colours.get(token)
  if (known !== undefined) return known
  const found = ask(token)
  resolved.colours.set(token, found)
  return found
}

function ask(token: string): string {
  if (probe === undefined) {
    probe = document.createElement('span')
    probe.hidden = true
    // Where the system forces colours, all text has one; lines must not.
    probe.style.setProperty('forced-color-adjust', 'none')
    document.body.append(probe)
  }
  probe.style.color = `var(${token})`
  return getComputedStyle(probe).color
}

export const LINE_COLOURS = 8

export function lineColour(i: number): string {
  return colour(`--line-${(i % LINE_COLOURS) + 1}`)
}
