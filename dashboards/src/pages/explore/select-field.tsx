// Which series: one selector a line, with what may stand at its end offered while it is typed.
import { useSignal } from '@preact/signals'
import { useEffect, useId } from 'preact/hooks'
import { completions } from '../../api'

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
  const offered = useSignal<readonly string[]>([])
  const id = useId()
  useEffect(() => {
    typed.value = value
  }, [value])
  const asked = typed.value
  useEffect(() => {
    let stale = false
    const timer = setTimeout(async () => {
      const found = await completions(asked, OFFERED).catch(() => [])
      if (!stale) offered.value = found
    }, WAIT_MS)
    return () => {
      stale = true
      clearTimeout(timer)
    }
  }, [asked])
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
        onInput={(event) => {
          typed.value = event.currentTarget.value
        }}
        onChange={(event) => onChange(event.currentTarget.value.trim())}
      />
      <datalist id={id}>
        {offered.value.map((text) => (
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
