// Name, note and attributes of a device, as people call and know it. What was typed stays when the hub refuses it, or when
// somebody else has edited meanwhile.
import { useSignal } from '@preact/signals'
import { useEffect, useRef } from 'preact/hooks'
import { type Device, editDevice, fetchDevice } from '../api'
import { ApiError, failureText } from '../rest'
import { sentence } from '../words'
import { changesText, editOf, type Typed } from './device-change'

interface DeviceEditProps {
  device: Device
  /** Where somebody opened it. */
  takesFocus?: boolean
  onSaved(device: Device): void
  onClose(): void
}

export function DeviceEditor({ device: newest, takesFocus = false, onSaved, onClose }: DeviceEditProps) {
  // As it was when the form was opened: what was typed is a change of that.
  const { current: device } = useRef(newest)
  /** What others made of it, as the last refusal told. */
  const seen = useRef(newest)
  const typed = useSignal<Typed>({
    name: device.name,
    note: device.note,
    attributes: [...Object.entries(device.attributes), ['', '']],
  })
  const error = useSignal('')
  const busy = useSignal(false)
  const first = useRef<HTMLInputElement>(null)
  useEffect(() => {
    if (takesFocus) first.current?.focus()
  }, [])
  const set = (part: Partial<Typed>) => {
    typed.value = { ...typed.value, ...part }
  }
  const save = async () => {
    busy.value = true
    try {
      onSaved(await editDevice(device.device, editOf(device, typed.value, seen.current.version)))
      onClose()
    } catch (caught) {
      error.value = await whyNot(caught, device, seen)
    } finally {
      busy.value = false
    }
  }
  return (
    <form
      class="card device-edit"
      aria-label="Edit device"
      onSubmit={(event) => {
        event.preventDefault()
        void save()
      }}
    >
      <label>
        Name
        <input
          type="text"
          ref={first}
          placeholder={device.device}
          value={typed.value.name}
          onInput={(event) => set({ name: event.currentTarget.value })}
        />
      </label>
      <label>
        Note
        <textarea rows={3} value={typed.value.note} onInput={(event) => set({ note: event.currentTarget.value })} />
      </label>
      <Attributes rows={typed.value.attributes} onRows={(attributes) => set({ attributes })} />
      {error.value !== '' && (
        <p class="card-error" role="alert">
          {error.value}
        </p>
      )}
      <p class="actions">
        <button type="submit" class="primary" disabled={busy.value}>
          Save
        </button>
        <button type="button" class="link" onClick={onClose}>
          Cancel
        </button>
      </p>
    </form>
  )
}

/** Of an edit in between it is told what it was, and saving once more puts what was typed over it. */
async function whyNot(caught: unknown, device: Device, seen: { current: Device }): Promise<string> {
  const otherwise = 'It could not be saved.'
  if (!(caught instanceof ApiError && caught.status === 409)) return failureText(caught, otherwise)
  try {
    seen.current = await fetchDevice(device.device)
  } catch (failed) {
    return failureText(failed, otherwise)
  }
  const changes = changesText(device, seen.current)
  return `Somebody else has changed it meanwhile${changes === '' ? '.' : `: ${sentence(changes)}`} Save once more to put what you changed over it.`
}

interface AttributesProps {
  rows: readonly (readonly [string, string])[]
  onRows(rows: readonly (readonly [string, string])[]): void
}

/** The last row is empty, for one more; a row whose value is emptied is taken away. */
function Attributes({ rows, onRows }: AttributesProps) {
  const put = (i: number, name: string, value: string) => {
    const next = rows.map((row, at) => (at === i ? ([name, value] as const) : row))
    onRows(next.at(-1)?.join('') === '' ? next : [...next, ['', '']])
  }
  return (
    <fieldset class="attributes">
      <legend>Attributes, such as site or tz</legend>
      {rows.map(([name, value], i) => (
        <p key={i}>
          <input
            type="text"
            aria-label={`Attribute ${i + 1}, name`}
            placeholder="site"
            value={name}
            onInput={(event) => put(i, event.currentTarget.value, value)}
          />
          <input
            type="text"
            aria-label={`Attribute ${i + 1}, value`}
            placeholder="Harbour"
            value={value}
            onInput={(event) => put(i, name, event.currentTarget.value)}
          />
        </p>
      ))}
    </fieldset>
  )
}
