// The form for name, note and attributes of a device, as people call and know it.
import { useEffect, useRef } from 'preact/hooks'
import type { Device } from '../api'
import { Attributes } from './attributes'
import { useDeviceEdit } from './use-device-edit'

interface DeviceEditProps {
  device: Device
  /** Where somebody opened it. */
  takesFocus?: boolean
  onSaved(device: Device): void
  onClose(): void
}

export function DeviceEditor({ device, takesFocus = false, onSaved, onClose }: DeviceEditProps) {
  const { typed, put, error, isBusy, save } = useDeviceEdit(device, (saved) => {
    onSaved(saved)
    onClose()
  })
  const first = useRef<HTMLInputElement>(null)
  useEffect(() => {
    if (takesFocus) first.current?.focus()
  }, [])
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
          ref={first}
          type="text"
          placeholder={device.device}
          value={typed.name}
          onInput={(event) => put({ name: event.currentTarget.value })}
        />
      </label>
      <label>
        Note
        <textarea rows={3} value={typed.note} onInput={(event) => put({ note: event.currentTarget.value })} />
      </label>
      <Attributes rows={typed.attributes} onRows={(attributes) => put({ attributes })} />
      {error !== '' && (
        <p class="card-error" role="alert">
          {error}
        </p>
      )}
      <p class="actions">
        <button type="submit" class="primary" disabled={isBusy}>
          Save
        </button>
        <button type="button" class="link" onClick={onClose}>
          Cancel
        </button>
      </p>
    </form>
  )
}
