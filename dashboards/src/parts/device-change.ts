// From what was typed of a device to what is changed of it. Pure.
import type { Device, DeviceEdit } from '../api'

export interface Typed {
  name: string
  note: string
  attributes: readonly (readonly [string, string])[]
}

/** What changed, against the version that was looked at. */
export function editOf(device: Device, typed: Typed): DeviceEdit {
  const wanted = new Map(typed.attributes.map(([name, value]) => [name.trim(), value.trim()] as const))
  wanted.delete('')
  const attributes: Record<string, string | null> = {}
  for (const [name, value] of wanted) if ((device.attributes[name] ?? '') !== value) attributes[name] = value || null
  for (const name of Object.keys(device.attributes)) if (!wanted.has(name)) attributes[name] = null
  return {
    name: typed.name.trim() || null,
    note: typed.note.trim() || null,
    attributes,
    version: device.version,
  }
}
