// Which series: one selector a line, with what may stand at its end offered while it is typed.
import { useSignal } from '@preact/signals'
import { useEffect, useId, useRef } from 'preact/hooks'
import { completions } from '../../api'
import { ApiError } from '../../rest'

const OFFERED = 20
const WAIT_MS = 150

interface SelectFieldProps {
  value: string
  label: string
  onChange(value: string): void
  onRemove?: () => void
}

export function SelectField({ value, label, onChange, onRemove }: SelectFieldProps) {
  const typed = useSignal(value)
  const isTyping = useSignal(false)
  const id = useId()
  const offered = useOffered(typed.value, isTyping.value)
  useEffect(() => {
    typed.value = value
  }, [value])
  return (
    <form
      class="select-field"
      onSubmit={(event) => {
        event.preventDefault()
        onChange(typed.value.trim())
      }}
    >
      <input
        type="text"
        class="mono"
        list={id}
        aria-label={label}
        placeholder={'DEVICE/METRIC{label="value"}, with * and ?'}
        autocomplete="off"
        spellcheck={false}
        value={typed.value}
        onFocus={() => {
          isTyping.value = true
        }}
        onBlur={() => {
          isTyping.value = false
        }}
        onInput={(event) => {
          typed.value = event.currentTarget.value
        }}
        onChange={(event) => onChange(event.currentTarget.value.trim())}
      />
      <datalist id={id}>
        {offered.map((text) => (
          <option key={text} value={text} />
        ))}
      </datalist>
      {onRemove !== undefined && (
        <button type="button" class="quiet" aria-label={`Remove ${value}`} title="Remove" onClick={onRemove}>
          ✕
        </button>
      )}
    </form>
  )
}

/** Nothing is asked that goes on where the hub said that no selector begins so, and nothing for a field that nobody is in. */
function useOffered(typed: string, isTyping: boolean): readonly string[] {
  const offered = useSignal<readonly string[]>([])
  const refused = useRef<string | undefined>(undefined)
  useEffect(() => {
    if (!isTyping || (refused.current !== undefined && typed.startsWith(refused.current))) return
    let stale = false
    const timer = setTimeout(async () => {
      try {
        const found = await completions(typed, OFFERED)
        if (!stale) offered.value = found
      } catch (error) {
        if (error instanceof ApiError && error.status === 400) refused.current = typed
        if (!stale) offered.value = []
      }
    }, WAIT_MS)
    return () => {
      stale = true
      clearTimeout(timer)
    }
  }, [typed, isTyping])
  return offered.value
}
