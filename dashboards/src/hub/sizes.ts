// What the hub keeps takes so much, day by day and series by series. Read from the disk, so seldom asked for.
import { ask } from '../rest'
import { list, map, number, text } from '../told'

export interface DaySize {
  day: string
  kind: string
  bytes: number
}

export interface Sizes {
  bytes: number
  readings: number
  logBytes: number
  catalogBytes: number
  files: DaySize[]
  top: { name: string; bytes: number; readings: number }[]
}

/** So many of the largest series are named. */
const TOP = 10

export async function fetchSizes(): Promise<Sizes> {
  const o = map(await ask('get', '/api/v1/stats', { query: { top: TOP } }))
  return {
    bytes: number(o.bytes),
    readings: number(o.readings),
    logBytes: number(o.log_bytes),
    catalogBytes: number(o.catalog_bytes),
    files: list(o.files).map((raw) => {
      const file = map(raw)
      return { day: text(file.day), kind: text(file.kind), bytes: number(file.bytes) }
    }),
    top: list(o.top).map((raw) => {
      const one = map(raw)
      return { name: text(one.name), bytes: number(one.bytes), readings: number(one.readings) }
    }),
  }
}
