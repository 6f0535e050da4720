// Which devices are shown, in which order and form, as the address says it under `#/`. Pure.
import type { DeviceState } from '@telltale/client'
import type { Device } from '../../api'
import { ORDERS, type Order, type States, stateOf, viaOf } from './list'

export const FORMS = ['rows', 'tiles'] as const
export type Form = (typeof FORMS)[number]

export interface Filters {
  typed: string
  /** Undefined: any. */
  state: DeviceState | undefined
  /** Attributes as `[name, value]`: those of one name are alternatives, those of several names must all hold. */
  where: readonly (readonly [string, string])[]
  order: Order
  /** Undefined: as this browser had it last. */
  form: Form | undefined
}

export const NO_FILTERS: Filters = { typed: '', state: undefined, where: [], order: 'name', form: undefined }

/** No attribute begins so: the gateway that a device comes by is filtered like one. */
export const GATEWAY = '@gateway'

export const STATES = ['online', 'silent', 'offline', 'unknown'] as const satisfies readonly DeviceState[]

export function parseFilters(query: URLSearchParams): Filters {
  const order = query.get('order') ?? ''
  return {
    typed: query.get('q') ?? '',
    state: STATES.find((state) => state === query.get('state')),
    where: query.getAll('where').flatMap((pair) => {
      const at = pair.indexOf('=')
      return at > 0 ? [[pair.slice(0, at), pair.slice(at + 1)] as const] : []
    }),
    order: Object.hasOwn(ORDERS, order) ? (order as Order) : 'name',
    form: FORMS.find((form) => form === query.get('form')),
  }
}

export function filtersHref(filters: Filters): string {
  const query = new URLSearchParams()
  if (filters.typed !== '') query.set('q', filters.typed)
  if (filters.state !== undefined) query.set('state', filters.state)
  for (const [name, value] of filters.where) query.append('where', `${name}=${value}`)
  if (filters.order !== 'name') query.set('order', filters.order)
  if (filters.form !== undefined) query.set('form', filters.form)
  const text = query.toString()
  return text === '' ? '#/' : `#/?${text}`
}

/** Those with the attributes that are asked for. */
export function attributed(devices: readonly Device[], states: States, where: Filters['where']): readonly Device[] {
  if (where.length === 0) return devices
  const wanted = new Map<string, Set<string>>()
  for (const [name, value] of where) wanted.set(name, (wanted.get(name) ?? new Set()).add(value))
  return devices.filter((device) =>
    [...wanted].every(([name, values]) => values.has(attributeOf(device, states, name) ?? '')),
  )
}

export function ofState(devices: readonly Device[], states: States, state: DeviceState | undefined): readonly Device[] {
  return state === undefined ? devices : devices.filter((device) => stateOf(device, states) === state)
}

function attributeOf(device: Device, states: States, name: string): string | undefined {
  return name === GATEWAY ? viaOf(device, states) : device.attributes[name]
}

/** How many devices there are of each state. */
export function countStates(devices: readonly Device[], states: States): Readonly<Record<DeviceState, number>> {
  const counts = { online: 0, silent: 0, offline: 0, unknown: 0 }
  for (const device of devices) counts[stateOf(device, states)] += 1
  return counts
}

export interface Offer {
  name: string
  values: readonly string[]
}

/** Of an attribute with more values than these, such as a serial number, nobody chooses from a list. */
const VALUES_MOST = 200

/** What may be filtered by: `site` first, the gateway last. What is the same of all devices tells none of them apart. */
export function offers(devices: readonly Device[]): Offer[] {
  const found = new Map<string, Set<string>>()
  const counts = new Map<string, number>()
  const put = (name: string, value: string) => {
    const values = found.get(name)
    counts.set(name, (counts.get(name) ?? 0) + 1)
    if (values === undefined) found.set(name, new Set([value]))
    else if (values.size <= VALUES_MOST) values.add(value)
  }
  for (const device of devices) {
    for (const [name, value] of Object.entries(device.attributes)) put(name, value)
    if (device.via !== undefined && device.via !== device.device) put(GATEWAY, device.via)
  }
  const rank = (name: string) => (name === 'site' ? 0 : name === GATEWAY ? 2 : 1)
  return [...found]
    .filter(([name, { size }]) => size <= VALUES_MOST && (size > 1 || counts.get(name) !== devices.length))
    .sort(([a], [b]) => rank(a) - rank(b) || order.compare(a, b))
    .map(([name, values]) => ({ name, values: [...values].sort(order.compare) }))
}

const order = new Intl.Collator('en', { numeric: true })
