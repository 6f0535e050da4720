// A command to copy.
import { useSignal } from '@preact/signals'

const TOLD_MS = 1_500

export function Command({ text }: { text: string }) {
  const said = useSignal('Copy')
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text)
      said.value = 'Copied'
    } catch {
      said.value = 'Select and copy by hand'
    }
    setTimeout(() => {
      said.value = 'Copy'
    }, TOLD_MS)
  }
  return (
    <div class="command">
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a long one scrolls by keys. */}
      <pre tabIndex={0}>
        <code>{text}</code>
      </pre>
      <button type="button" onClick={() => void copy()}>
        {said}
      </button>
    </div>
  )
}
