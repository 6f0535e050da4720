// The time zones of the sites of what is shown, for the range picker: as attributes of a few of the devices name them.
import { useEffect, useRef } from 'preact/hooks'
import { type Device, fetchDevice, type LastValue } from '../api'

/** So many devices are asked. */
const ASKED = 8

/** A device says where it stands by an attribute such as `tz=Europe/Berlin`. */
export function zonesOf(device: Device | undefined): string[] {
  const { tz, timezone } = device?.attributes ?? {}
  return [tz, timezone].filter((name) => name !== undefined)
}

/** Of these series. */
export function useZones(last: ReadonlyMap<string, LastValue> | undefined, onZones: (zones: string[]) => void): void {
  const asked = useRef('')
  const gone = useRef(false)
  useEffect(() => {
    gone.current = false
    return () => {
      gone.current = true
    }
  }, [])
  // Once for the same devices: last values that come anew change nothing of it.
  useEffect(() => {
    const devices = [...new Set([...(last?.values() ?? [])].map((one) => one.device))].slice(0, ASKED)
    const names = devices.join('\n')
    if (devices.length === 0 || asked.current === names) return
    asked.current = names
    void Promise.allSettled(devices.map((id) => fetchDevice(id))).then((found) => {
      if (gone.current || asked.current !== names) return
      // What the hub could not say is asked again with the next last values: nothing else of the page needs it.
      if (found.some(({ status }) => status === 'rejected')) asked.current = ''
      const known = found.map((one) => (one.status === 'fulfilled' ? one.value : undefined))
      onZones([...new Set(known.flatMap(zonesOf))])
    })
  }, [last])
}
