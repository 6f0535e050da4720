// The disk of the hub, and when it will be full, as its status tells it.
import { flag, map, number, optional, type Schemas, type Told, text } from '../told'

export interface Forecast {
  readingsPerS: number
  measuredS: number
  bytesPerReading: number
  bytesPerDay: number
  /** Undefined: never, as it goes now. */
  fullInS: number | undefined
  fullOf: 'disk' | 'max_bytes'
}

export interface Disk {
  usedBytes: number
  freeBytes: number | undefined
  sizeBytes: number | undefined
  reserveBytes: number
  maxBytes: number | undefined
  expiresByAge: boolean
  /** Undefined: not known yet. */
  forecast: Forecast | undefined
}

export function decodeDisk(raw: Told<Schemas['StatusBody']['disk']>): Disk | undefined {
  if (typeof raw !== 'object' || raw === null) return undefined
  const o = map(raw)
  return {
    usedBytes: number(o.used_bytes),
    freeBytes: optional(o.free_bytes),
    sizeBytes: optional(o.size_bytes),
    reserveBytes: number(o.reserve_bytes),
    maxBytes: optional(o.max_bytes),
    expiresByAge: flag(o.expires_by_age),
    forecast: decodeForecast(o.forecast),
  }
}

function decodeForecast(raw: Told<Schemas['DiskStatus']['forecast']>): Forecast | undefined {
  if (typeof raw !== 'object' || raw === null) return undefined
  const o = map(raw)
  return {
    readingsPerS: number(o.readings_per_s),
    measuredS: number(o.measured_s),
    bytesPerReading: number(o.bytes_per_reading),
    bytesPerDay: number(o.bytes_per_day),
    fullInS: optional(o.full_in_s),
    fullOf: text(o.full_of) === 'max_bytes' ? 'max_bytes' : 'disk',
  }
}
