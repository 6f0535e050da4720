// What the page asks of devices, values and sessions, typed. `rest` has how.
import {
  type DeviceStateEntry,
  decodeDescription,
  decodeDeviceState,
  decodePoint,
  type Point,
  type SeriesDescription,
  type Value,
} from '@telltale/client'
import { ask, list, map, number, text } from './rest'

export interface Session {
  role: string
  name: string
}

export interface Device extends DeviceStateEntry {
  name: string
  note: string
  /** Grows with each edit. */
  version: number
  attributes: Readonly<Record<string, string>>
  series: number
}

export interface LastValue extends SeriesDescription {
  time: number
  value: Value
  seen: number
  changed: number
}

export interface HistorySeries extends SeriesDescription {
  points: Point[]
}

/** A hub that hangs is one that is away. */
const SESSION_MS = 10_000

export async function fetchSession(): Promise<Session> {
  const o = map(await ask('GET', 'session', undefined, AbortSignal.timeout(SESSION_MS)))
  return { role: text(o.role), name: text(o.name) }
}

export async function login(body: { code: string } | { token: string }): Promise<void> {
  await ask('POST', 'login', body)
}

export async function logout(): Promise<void> {
  await ask('POST', 'logout')
}

export async function fetchDevices(limit: number, after?: string): Promise<{ devices: Device[]; next?: string }> {
  const query = new URLSearchParams({ limit: String(limit) })
  if (after !== undefined) query.set('after', after)
  const o = map(await ask('GET', `devices?${query}`))
  const devices = list(o.devices).map(decodeDevice)
  return typeof o.next === 'string' ? { devices, next: o.next } : { devices }
}

export async function fetchDevice(id: string): Promise<Device> {
  return decodeDevice(await ask('GET', `devices/${encodeURIComponent(id)}`))
}

/** What is not named stays as it is, null takes it away. */
export interface DeviceEdit {
  name?: string | null
  note?: string | null
  attributes?: Readonly<Record<string, string | null>>
  /** Refused as a conflict when somebody else has edited since. */
  version?: number
}

export async function editDevice(id: string, edit: DeviceEdit): Promise<Device> {
  return decodeDevice(await ask('PATCH', `devices/${encodeURIComponent(id)}`, edit))
}

export async function fetchLast(select: readonly string[]): Promise<LastValue[]> {
  const query = new URLSearchParams(select.map((one) => ['select', one]))
  const o = map(await ask('GET', `last?${query}`))
  return list(o.series).map((raw) => {
    const entry = map(raw)
    const [time, value] = decodePoint([entry.time, entry.value])
    return {
      ...decodeDescription(raw),
      time,
      value,
      seen: number(entry.seen, time),
      changed: number(entry.changed, time),
    }
  })
}

export interface HistoryQuery {
  select: readonly string[]
  from: number
  to: number
  points?: number
  buckets?: { every?: string; agg: string; tz: string }
}

/** The query of an address under `history`; also for links to download what is seen. */
export function historyParams(q: HistoryQuery): URLSearchParams {
  const query = new URLSearchParams(q.select.map((one) => ['select', one]))
  query.set('from', `${Math.floor(q.from)}ms`)
  query.set('to', `${Math.ceil(q.to)}ms`)
  if (q.points !== undefined) query.set('points', String(q.points))
  if (q.buckets !== undefined) {
    query.set('agg', q.buckets.agg)
    if (q.buckets.every !== undefined) {
      query.set('every', q.buckets.every)
      query.set('tz', q.buckets.tz)
    }
  }
  return query
}

export async function fetchHistory(q: HistoryQuery, signal?: AbortSignal): Promise<HistorySeries[]> {
  const o = map(await ask('GET', `history?${historyParams(q)}`, undefined, signal))
  return list(o.series).map((raw) => ({ ...decodeDescription(raw), points: pointsOf(map(raw).points) }))
}

/** A bucket may have no value, such as the rate of the first: it is no point. */
function pointsOf(raw: unknown): Point[] {
  return list(raw)
    .filter((point) => list(point)[1] !== null)
    .map(decodePoint)
}

export interface Figures extends SeriesDescription {
  /** By the name of the aggregate; absent where a series has no such, as text has no mean. */
  figures: ReadonlyMap<string, Value>
}

/** One bucket over all of [from, to): a row of figures for each series. */
export async function fetchFigures(
  q: { select: readonly string[]; from: number; to: number; agg: readonly string[] },
  signal?: AbortSignal,
): Promise<Figures[]> {
  const query = historyParams({
    select: q.select,
    from: q.from,
    to: q.to,
    buckets: { agg: q.agg.join(','), tz: 'UTC' },
  })
  const o = map(await ask('GET', `history?${query}`, undefined, signal))
  return list(o.series).map((raw) => {
    const names = list(map(raw).columns).map(text)
    const row = list(list(map(raw).points)[0])
    const pairs = names.map((name, i) => [name, row[i]] as const)
    const known = pairs.filter((pair): pair is [string, Value] => isValue(pair[1]) && pair[0] !== 'time')
    return { ...decodeDescription(raw), figures: new Map(known) }
  })
}

function isValue(raw: unknown): raw is Value {
  return typeof raw === 'number' || typeof raw === 'boolean' || typeof raw === 'string'
}

/** What a selector that is being typed may become: each with its next part written out. */
export async function completions(prefix: string, limit: number): Promise<string[]> {
  const o = map(await ask('GET', `complete?${new URLSearchParams({ prefix, limit: String(limit) })}`))
  return list(o.candidates).map((raw) => {
    const { typed, insert, then } = map(raw)
    return prefix.slice(0, prefix.length - text(typed).length) + text(insert) + text(then)
  })
}

function decodeDevice(raw: unknown): Device {
  const o = map(raw)
  const attributes: Record<string, string> = {}
  for (const [key, value] of Object.entries(map(o.attributes ?? {}))) attributes[key] = String(value)
  return {
    ...decodeDeviceState(raw),
    name: text(o.name),
    note: text(o.note),
    version: number(o.version),
    attributes,
    series: number(o.series),
  }
}
