// What the list of devices shows of what is known. Pure.
import type { DeviceState, DeviceStateEntry, Series } from '@telltale/client'
import type { Device } from '../api'

export interface Row {
  id: string
  name: string
  state: DeviceState
  seen: number | undefined
  via: string | undefined
  attributes: Readonly<Record<string, string>>
  /** The few values that say most, best first. */
  values: Series[]
  /** Series that are not among `values`. */
  more: number
}

const VALUES_SHOWN = 4

/** Rows of the devices known by REST and by live, in order of their names. */
export function rowsOf(
  devices: Iterable<Device>,
  states: ReadonlyMap<string, DeviceStateEntry>,
  series: Iterable<Series>,
): Row[] {
  const byDevice = new Map<string, Series[]>()
  const uses = new Map<string, number>()
  for (const one of series) {
    uses.set(one.metric, (uses.get(one.metric) ?? 0) + 1 / (1 + Object.keys(one.labels).length))
    const list = byDevice.get(one.device)
    if (list === undefined) byDevice.set(one.device, [one])
    else list.push(one)
  }
  const rows: Row[] = []
  for (const device of devices) {
    const live = states.get(device.device)
    const all = byDevice.get(device.device) ?? []
    // What most devices have comes first, so that one metric stands in one column.
    const use = (one: Series) => uses.get(one.metric) ?? 0
    const values = [...all].sort(
      (a, b) => weight(a) - weight(b) || use(b) - use(a) || order.compare(a.metric, b.metric),
    )
    const shown = oncePerMetric(values).slice(0, VALUES_SHOWN)
    const seen = Math.max(live?.seen ?? 0, device.seen ?? 0, ...shown.map((s) => s.last?.[0] ?? 0))
    rows.push({
      id: device.device,
      name: device.name === '' ? device.device : device.name,
      state: live?.state ?? device.state,
      seen: seen === 0 ? undefined : seen,
      via: live?.via ?? device.via,
      attributes: device.attributes,
      values: shown,
      more: Math.max(device.series, all.length) - shown.length,
    })
  }
  return rows.sort((a, b) => order.compare(a.name, b.name))
}

/** Rows whose name, id, gateway or attributes hold every word typed. */
export function filterRows(rows: readonly Row[], typed: string): Row[] {
  const words = typed.toLowerCase().split(/\s+/).filter(Boolean)
  if (words.length === 0) return [...rows]
  return rows.filter((row) => {
    const text = [row.name, row.id, row.via ?? '', row.state, ...Object.entries(row.attributes).flat()]
      .join(' ')
      .toLowerCase()
    return words.every((word) => text.includes(word))
  })
}

const order = new Intl.Collator('en', { numeric: true })

/** Plain gauges first, then states and texts, then parts of a whole, counters last. */
function weight(series: Series): number {
  const kind = { gauge: 0, state: 1, text: 2, counter: 6 }[series.kind]
  return kind + Math.min(3, Object.keys(series.labels).length)
}

function oncePerMetric(list: readonly Series[]): Series[] {
  const seen = new Set<string>()
  return list.filter((series) => {
    if (seen.has(series.metric)) return false
    seen.add(series.metric)
    return true
  })
}
