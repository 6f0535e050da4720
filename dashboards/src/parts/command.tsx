// A command to copy.
import { useSignal } from '@preact/signals'
import { useRef } from 'preact/hooks'

const TOLD_MS = 1_500

/** Where the page came without TLS from another machine the browser has no clipboard for it, but copies what is selected. */
function copySelected(element: HTMLElement | null): boolean {
  const selection = getSelection()
  if (element === null || selection === null) return false
  selection.selectAllChildren(element)
  return document.execCommand('copy')
}

export function Command({ text }: { text: string }) {
  const said = useSignal('Copy')
  const shown = useRef<HTMLElement>(null)
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text)
      said.value = 'Copied'
    } catch {
      said.value = copySelected(shown.current) ? 'Copied' : 'Selected: press Ctrl+C'
    }
    setTimeout(() => {
      said.value = 'Copy'
    }, TOLD_MS)
  }
  return (
    <div class="command">
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a long one scrolls by keys. */}
      <pre tabIndex={0}>
        <code ref={shown}>{text}</code>
      </pre>
      <button type="button" aria-live="polite" onClick={() => void copy()}>
        {said}
      </button>
    </div>
  )
}
