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
import type { paths } from './api-types'
import { ask, type Question, searchOf } from './rest'
import { list, map, number, type Schemas, type Told, text } from './told'

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
  /** Of buckets that were asked for `mean,min,max`: the lowest and highest of each point. */
  edges: (readonly [number, number])[]
}

/** A hub that hangs is one that is away. */
const SESSION_MS = 10_000

export async function fetchSession(): Promise<Session> {
  const o = map(await ask('get', '/api/v1/session', { signal: AbortSignal.timeout(SESSION_MS) }))
  return { role: text(o.role), name: text(o.name) }
}

export async function login(body: Schemas['LoginBody']): Promise<void> {
  await ask('post', '/api/v1/login', { body })
}

export async function logout(): Promise<void> {
  await ask('post', '/api/v1/logout')
}

export async function fetchDevices(limit: number, after?: string): Promise<{ devices: Device[]; next?: string }> {
  const query = { limit, ...(after === undefined ? {} : { after }) }
  const o = map(await ask('get', '/api/v1/devices', { query }))
  const devices = list(o.devices).map(decodeDevice)
  const next = text(o.next)
  return next === '' ? { devices } : { devices, next }
}

export async function fetchDevice(id: string): Promise<Device> {
  return decodeDevice(await ask('get', '/api/v1/devices/{id}', { id }))
}

export type DeviceEdit = Schemas['DeviceEdit']

export async function editDevice(id: string, body: DeviceEdit): Promise<Device> {
  return decodeDevice(await ask('patch', '/api/v1/devices/{id}', { id, body }))
}

export async function fetchLast(select: readonly string[], signal?: AbortSignal): Promise<LastValue[]> {
  const o = map(await ask('get', '/api/v1/last', { query: { select: [...select] }, signal }))
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
  /** `week`: the first day of one, such as `monday`, where buckets are weeks. */
  buckets?: { every?: string; agg: string; tz: string; week?: Weekday }
}

type HistoryParams = NonNullable<Question<paths['/api/v1/history']['get']>['query']>
export type Weekday = NonNullable<HistoryParams['week_start']>

function historyQuery(q: HistoryQuery): HistoryParams {
  const { every, agg, tz, week } = q.buckets ?? {}
  return {
    select: [...q.select],
    from: `${Math.floor(q.from)}ms`,
    to: `${Math.ceil(q.to)}ms`,
    ...(q.points === undefined ? {} : { points: q.points }),
    ...(agg === undefined ? {} : { agg }),
    ...(every === undefined || tz === undefined ? {} : { every, tz }),
    ...(every === undefined || week === undefined ? {} : { week_start: week }),
  }
}

/** The query of an address under `history`, for links to download what is seen. */
export function historyParams(q: HistoryQuery): URLSearchParams {
  return searchOf(historyQuery(q))
}

export async function fetchHistory(q: HistoryQuery, signal?: AbortSignal): Promise<HistorySeries[]> {
  const o = map(await ask('get', '/api/v1/history', { query: historyQuery(q), signal }))
  return list(o.series).map((raw) => {
    // A bucket may have no value, such as the rate of the first: it is no point.
    const rows = list(map(raw).points).filter((point) => list(point)[1] !== null)
    const edges = q.buckets?.agg === BAND ? rows.map((point) => [edge(point, 2), edge(point, 3)] as const) : []
    return { ...decodeDescription(raw), points: rows.map(decodePoint), edges }
  })
}

/** What makes a line with a band behind it. */
export const BAND = 'mean,min,max'

function edge(point: Told<readonly unknown[]>, column: number): number {
  const told = list(point)[column]
  return typeof told === 'number' ? told : Number.NaN
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
  const { select, from, to } = q
  const query = historyQuery({ select, from, to, buckets: { agg: q.agg.join(','), tz: 'UTC' } })
  const o = map(await ask('get', '/api/v1/history', { query, signal }))
  return list(o.series).map((raw) => {
    const { columns, points } = map(raw)
    const names = list(columns).map((name) => text(name))
    const [bucket] = list(points)
    const row: readonly unknown[] = bucket === undefined ? [] : list(bucket)
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
  const o = map(await ask('get', '/api/v1/complete', { query: { prefix, limit } }))
  return list(o.candidates).map((raw) => {
    const { typed, insert, then } = map(raw)
    return prefix.slice(0, prefix.length - text(typed).length) + text(insert) + text(then)
  })
}

function decodeDevice(raw: Told<Schemas['DeviceRow']>): Device {
  const o = map(raw)
  const attributes: Record<string, string> = {}
  for (const [key, value] of Object.entries(map(o.attributes))) attributes[key] = String(value)
  return {
    ...decodeDeviceState(raw),
    name: text(o.name),
    note: text(o.note),
    version: number(o.version),
    attributes,
    series: number(o.series),
  }
}
