// What may be wider than the screen: it scrolls sideways, by keys too.
import type { ComponentChildren } from 'preact'

export function Scroll({ name, children }: { name: string; children: ComponentChildren }) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: arrow keys scroll only what has the focus.
    // biome-ignore lint/a11y/useSemanticElements: a fieldset is for controls.
    <div class="scroll" role="group" aria-label={name} tabIndex={0}>
      {children}
    </div>
  )
}
