// From what was typed of a device to what is changed of it. Pure.
import type { Device, DeviceEdit } from '../api'

export interface Typed {
  name: string
  note: string
  attributes: readonly (readonly [string, string])[]
}

/** What was changed of the device as it was when the form was opened; all else stays as it is. */
export function editOf(device: Device, typed: Typed, version = device.version): DeviceEdit {
  const wanted = new Map(typed.attributes.map(([name, value]) => [name.trim(), value.trim()] as const))
  wanted.delete('')
  const attributes: Record<string, string | null> = {}
  for (const [name, value] of wanted) if ((device.attributes[name] ?? '') !== value) attributes[name] = value || null
  for (const name of Object.keys(device.attributes)) if (!wanted.has(name)) attributes[name] = null
  const [name, note] = [typed.name.trim(), typed.note.trim()]
  return {
    ...(name === device.name ? {} : { name: name || null }),
    ...(note === device.note ? {} : { note: note || null }),
    attributes,
    version,
  }
}

/** What somebody else made of it meanwhile, as words. */
export function changesText(before: Device, now: Device): string {
  const names = [...new Set([...Object.keys(before.attributes), ...Object.keys(now.attributes)])].sort()
  const pairs = [
    ['the name', before.name, now.name],
    ['the note', before.note, now.note],
    ...names.map((name) => [name, before.attributes[name] ?? '', now.attributes[name] ?? ''] as const),
  ] as const
  return pairs
    .filter(([, old, value]) => old !== value)
    .map(([what, , value]) => (value === '' ? `${what} was taken away` : `${what} is now “${value}”`))
    .join(', ')
}
