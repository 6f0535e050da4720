// What is typed into the form of a device, and its saving. What was typed stays when the hub refuses it, or when somebody else has
// edited meanwhile.
import { useSignal } from '@preact/signals'
import { useRef } from 'preact/hooks'
import { type Device, editDevice, fetchDevice } from '../api'
import { ApiError, failureText } from '../rest'
import { sentence } from '../words'
import { changesText, editOf, type Typed } from './device-change'

interface DeviceEditing {
  typed: Typed
  put(part: Partial<Typed>): void
  /** Why it was not saved. */
  error: string
  isBusy: boolean
  save(): Promise<void>
}

export function useDeviceEdit(newest: Device, onSaved: (device: Device) => void): DeviceEditing {
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
  const save = async () => {
    busy.value = true
    try {
      onSaved(await editDevice(device.device, editOf(device, typed.value, seen.current.version)))
    } catch (caught) {
      error.value = await whyNot(caught, device, seen)
    } finally {
      busy.value = false
    }
  }
  const put = (part: Partial<Typed>) => {
    typed.value = { ...typed.value, ...part }
  }
  return { typed: typed.value, put, error: error.value, isBusy: busy.value, save }
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
