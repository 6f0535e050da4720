// REST of the hub, typed. Every failure is an `ApiError` with the hub's own words where it gave any.
import {
  type DeviceStateEntry,
  decodeDescription,
  decodeDeviceState,
  decodeHubError,
  decodePoint,
  type HubError,
  type Point,
  type SeriesDescription,
  type Value,
} from '@telltale/client'
import { learnHubTime } from './clock'
import { sentence } from './words'

const BASE = 'api/v1'

export class ApiError extends Error {
  override name = 'ApiError'
  readonly status: number
  readonly hub: HubError

  constructor(status: number, hub: HubError) {
    super(sentence(hub.message))
    this.status = status
    this.hub = hub
  }
}

export interface Session {
  role: string
  name: string
}

export interface Device extends DeviceStateEntry {
  name: string
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

export async function fetchSession(): Promise<Session> {
  const o = map(await ask('GET', 'session'))
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

export async function fetchLast(select: string): Promise<LastValue[]> {
  const o = map(await ask('GET', `last?${new URLSearchParams({ select })}`))
  return list(o.series).map((raw) => {
    const entry = map(raw)
    const [time, value] = decodePoint([entry.time, entry.value])
    return {
      ...decodeDescription(raw),
      time,
      value,
      seen: typeof entry.seen === 'number' ? entry.seen : time,
      changed: typeof entry.changed === 'number' ? entry.changed : time,
    }
  })
}

export interface HistoryQuery {
  select: string
  from: number
  to: number
  points: number
}

export async function fetchHistory(q: HistoryQuery, signal?: AbortSignal): Promise<HistorySeries[]> {
  const query = new URLSearchParams({
    select: q.select,
    from: `${Math.floor(q.from)}ms`,
    to: `${Math.ceil(q.to)}ms`,
    points: String(q.points),
    time: 'ms',
  })
  const o = map(await ask('GET', `history?${query}`, undefined, signal))
  return list(o.series).map((raw) => ({ ...decodeDescription(raw), points: list(map(raw).points).map(decodePoint) }))
}

async function ask(method: string, path: string, body?: unknown, signal?: AbortSignal): Promise<unknown> {
  const askedAt = Date.now()
  let response: Response
  try {
    response = await fetch(`${BASE}/${path}`, {
      method,
      credentials: 'same-origin',
      ...(body === undefined ? {} : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
      ...(signal === undefined ? {} : { signal }),
    })
  } catch (error) {
    if (signal?.aborted) throw error
    throw new ApiError(0, {
      code: 'unreachable',
      message: 'The hub does not answer.',
      hint: 'Is it running? The page goes on by itself when it is back.',
    })
  }
  learnHubTime(response.headers.get('date'), askedAt, Date.now())
  if (response.status === 204) return undefined
  const raw: unknown = await response.json().catch(() => undefined)
  if (!response.ok) throw new ApiError(response.status, refusal(response.status, raw))
  return raw
}

function refusal(status: number, raw: unknown): HubError {
  try {
    return decodeHubError(map(raw).error)
  } catch {
    return { code: 'unknown', message: `The hub answered ${status} without saying why.` }
  }
}

function decodeDevice(raw: unknown): Device {
  const o = map(raw)
  const attributes: Record<string, string> = {}
  for (const [key, value] of Object.entries(map(o.attributes ?? {}))) attributes[key] = String(value)
  return {
    ...decodeDeviceState(raw),
    name: text(o.name),
    attributes,
    series: typeof o.series === 'number' ? o.series : 0,
  }
}

function map(raw: unknown): Record<string, unknown> {
  return typeof raw === 'object' && raw !== null ? (raw as Record<string, unknown>) : {}
}

function list(raw: unknown): unknown[] {
  return Array.isArray(raw) ? raw : []
}

function text(raw: unknown): string {
  return typeof raw === 'string' ? raw : ''
}
