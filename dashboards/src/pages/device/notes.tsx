// The note on a device and ways on from it; for administrators the form to change note, name and attributes.
import { type Signal, useSignal } from '@preact/signals'
import { selectorOf } from '@telltale/client'
import { useRef } from 'preact/hooks'
import type { Device } from '../../api'
import { DeviceEditor } from '../../parts/device-edit'
import { useKeptFocus } from '../../parts/kept-focus'
import type { TimeRange } from '../../range'
import { session } from '../../session'
import { exploreHref, NO_VIEW } from '../explore/view'

interface DeviceNotesProps {
  id: string
  device: Signal<Device | undefined>
  range: TimeRange
  /** Lines that are switched off are so there too. */
  off: string
}

export function DeviceNotes({ id, device, range, off }: DeviceNotesProps) {
  const editing = useSignal(false)
  const box = useRef<HTMLDivElement>(null)
  useKeptFocus(box, editing.value, 'input, button')
  const known = device.value
  if (known !== undefined && editing.value) {
    return (
      <div ref={box}>
        <DeviceEditor
          device={known}
          takesFocus
          onSaved={(saved) => {
            device.value = saved
          }}
          onClose={() => {
            editing.value = false
          }}
        />
      </div>
    )
  }
  return (
    <div class="device-notes" ref={box}>
      {known !== undefined && known.note !== '' && <p class="device-note">{known.note}</p>}
      {known !== undefined && mayEdit() && (
        <button
          type="button"
          class="link"
          onClick={() => {
            editing.value = true
          }}
        >
          Edit name, note, attributes
        </button>
      )}
      <a class="link" href={exploreHref({ ...NO_VIEW, select: [selectorOf({ device: id })], range, off })}>
        Open in Explore
      </a>
    </div>
  )
}

function mayEdit(): boolean {
  const who = session.value
  return who.phase === 'in' && who.session.role === 'admin'
}
