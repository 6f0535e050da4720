// Which devices the list shows, in which order, and what a row shows of what is known. Pure.
import { type DeviceState, type DeviceStateEntry, type Series, selectorOf } from '@telltale/client'
import type { Device } from '../../api'
import { STATE_WORDS } from '../../parts/state'
import { inGroups } from '../../selects'

export interface Listed {
  devices: readonly Device[]
  /** False while further pages are on their way. */
  whole: boolean
}

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

export const ORDERS = { name: 'name', state: 'state', seen: 'last reading', site: 'site' } as const
export type Order = keyof typeof ORDERS

const VALUES_SHOWN = 4

/** What live told last, or else what the list said. */
export type States = ReadonlyMap<string, DeviceStateEntry>

export function nameOf(device: Device): string {
  return device.name === '' ? device.device : device.name
}

/** Devices whose name, id, gateway, state or attributes hold every word typed, in the order that was chosen. */
export function arrange(devices: readonly Device[], states: States, typed: string, by: Order): Device[] {
  const words = typed.toLowerCase().split(/\s+/).filter(Boolean)
  const found = words.length === 0 ? [...devices] : devices.filter((device) => mentions(device, states, words))
  return found.sort((a, b) => ORDER_BY[by](a, b, states) || order.compare(nameOf(a), nameOf(b)))
}

function mentions(device: Device, states: States, words: readonly string[]): boolean {
  const live = states.get(device.device)
  const state = live?.state ?? device.state
  const said = [device.name, device.device, viaOf(device, states) ?? '', state, STATE_WORDS[state].word]
  const text = [...said, ...Object.entries(device.attributes).flat()].join(' ').toLowerCase()
  return words.every((word) => text.includes(word))
}

const order = new Intl.Collator('en', { numeric: true })
/** What needs a look comes first. */
const URGENCY: Readonly<Record<DeviceState, number>> = { offline: 0, silent: 1, unknown: 2, online: 3 }

const ORDER_BY: Readonly<Record<Order, (a: Device, b: Device, states: States) => number>> = {
  name: () => 0,
  state: (a, b, states) => URGENCY[stateOf(a, states)] - URGENCY[stateOf(b, states)],
  seen: (a, b, states) => seenOf(b, states) - seenOf(a, states),
  site: (a, b) => order.compare(a.attributes.site ?? '\uffff', b.attributes.site ?? '\uffff'),
}

export function stateOf(device: Device, states: States): DeviceState {
  return states.get(device.device)?.state ?? device.state
}

export function viaOf(device: Device, states: States): string | undefined {
  return states.get(device.device)?.via ?? device.via
}

function seenOf(device: Device, states: States): number {
  return Math.max(states.get(device.device)?.seen ?? 0, device.seen ?? 0)
}

/** Rows of these devices, in their order. */
export function rowsOf(devices: Iterable<Device>, states: States, series: Iterable<Series>): Row[] {
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
    const seen = Math.max(seenOf(device, states), ...shown.map((s) => s.last?.[0] ?? 0))
    rows.push({
      id: device.device,
      name: nameOf(device),
      state: stateOf(device, states),
      seen: seen === 0 ? undefined : seen,
      via: live?.via ?? device.via,
      attributes: device.attributes,
      values: shown,
      more: Math.max(device.series, all.length) - shown.length,
    })
  }
  return rows
}

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

/** A hub of so many devices is watched whole, and new ones then show at once; of a larger one only what is in view. */
const WATCHED_WHOLE = 200

/** The subscriptions for a list: of all, or of the devices in view, in groups that the hub takes. */
export function groupsOf(list: Listed | undefined, inView: readonly string[]): string[][] {
  if (list === undefined) return []
  if (list.whole && list.devices.length <= WATCHED_WHOLE) return [['*/*']]
  return inGroups(inView.map((device) => selectorOf({ device })))
}
