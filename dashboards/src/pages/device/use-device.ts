// Name, note and attributes of a device: asked again now and then, since others edit too, and soon where the hub was away.
import { type Signal, useSignal } from '@preact/signals'
import { useEffect } from 'preact/hooks'
import { type Device, fetchDevice } from '../../api'
import { repeated } from '../../hidden'
import { isAway } from '../../rest'

const RETRY_MS = 3_000
const REFRESH_MS = 60_000

export function useDevice(id: string): Signal<Device | undefined> {
  const device = useSignal<Device | undefined>(undefined)
  useEffect(() => {
    let againMs = REFRESH_MS
    return repeated(
      () => againMs,
      async () => {
        try {
          const found = await fetchDevice(id)
          againMs = REFRESH_MS
          // What was saved here meanwhile is newer than what was asked for before.
          if (found.version >= (device.peek()?.version ?? 0)) device.value = found
        } catch (error) {
          againMs = isAway(error) ? RETRY_MS : REFRESH_MS
        }
      },
    )
  }, [id])
  return device
}
