// The words of `GET /api/v1/live` in its JSON form, and the one place where unknown data becomes typed.
//
// Times are milliseconds since 1970, with a fraction where the reading has one. Integers beyond 2^53 lose digits in JSON
// numbers as JavaScript reads them; the MessagePack form of live is for those who need them.

export type Value = number | boolean | string
export type Kind = 'gauge' | 'counter' | 'state' | 'text'
export type Point = readonly [time: number, value: Value]
/** Opaque: kept and sent back as it came. */
export type Cursor = NonNullable<unknown>

export interface SeriesDescription {
  device: string
  metric: string
  labels: Readonly<Record<string, string>>
  unit: string
  kind: Kind
}

export interface SeriesEntry extends SeriesDescription {
  /** The number of the series in this subscription on this connection. */
  series: number
  points: Point[]
}

export interface Range {
  series: number
  from: number
  to: number
  points: Point[]
}

export interface Snapshot {
  type: 'snapshot'
  id: string
  recovered: boolean
  more: boolean
  /** Only in the last part. */
  cursor?: Cursor
  series: SeriesEntry[]
  ranges: Range[]
}

export interface Update {
  type: 'update'
  id: string
  cursor?: Cursor
  points: (readonly [series: number, time: number, value: Value])[]
  series: SeriesEntry[]
  merged: number
}

export interface Patch {
  type: 'patch'
  id: string
  cursor?: Cursor
  ranges: Range[]
  series: SeriesEntry[]
  merged: number
}

export type DeviceState = 'online' | 'silent' | 'offline' | 'unknown'

export interface DeviceStateEntry {
  device: string
  state: DeviceState
  since?: number
  seen?: number
  via?: string
}

export interface States {
  type: 'state'
  id: string
  devices: DeviceStateEntry[]
}

export interface HubError {
  code: string
  message: string
  hint?: string
}

export interface ErrorMessage {
  type: 'error'
  id?: string
  error: HubError
}

export interface Closing {
  type: 'closing'
  code: number
  reason: string
  retryAfterMs?: number
}

export type HubMessage = Snapshot | Update | Patch | States | ErrorMessage | Closing

export interface SubscribeRequest {
  select: readonly string[]
  /** A duration such as `15m`; absent: each series' last known value. */
  history?: string
  maxHz?: number
}

export function encodeSubscribe(id: string, request: SubscribeRequest, cursor?: Cursor): string {
  return JSON.stringify({
    type: 'subscribe',
    id,
    select: request.select,
    history: request.history,
    max_hz: request.maxHz,
    cursor,
  })
}

export function encodeUnsubscribe(id: string): string {
  return JSON.stringify({ type: 'unsubscribe', id })
}

/** A message that does not keep to the protocol; `message` says where. */
export class ProtocolError extends Error {
  override name = 'ProtocolError'
}

/** Reads one text frame. Unknown types give `null`: a newer hub may say more than we know. */
export function decodeMessage(text: string): HubMessage | null {
  let raw: unknown
  try {
    raw = JSON.parse(text)
  } catch {
    throw new ProtocolError(`a frame is not JSON: ${text.slice(0, 80)}`)
  }
  const o = object(raw, 'message')
  switch (o.type) {
    case 'snapshot':
      return {
        type: 'snapshot',
        id: string(o.id, 'snapshot.id'),
        recovered: o.recovered === true,
        more: o.more === true,
        ...cursorOf(o),
        series: list(o.series, 'snapshot.series').map(seriesEntry),
        ranges: list(o.ranges, 'snapshot.ranges').map(range),
      }
    case 'update':
      return {
        type: 'update',
        id: string(o.id, 'update.id'),
        ...cursorOf(o),
        points: list(o.points, 'update.points').map(updatePoint),
        series: list(o.series, 'update.series').map(seriesEntry),
        merged: optionalNumber(o.merged) ?? 0,
      }
    case 'patch':
      return {
        type: 'patch',
        id: string(o.id, 'patch.id'),
        ...cursorOf(o),
        ranges: list(o.ranges, 'patch.ranges').map(range),
        series: list(o.series, 'patch.series').map(seriesEntry),
        merged: optionalNumber(o.merged) ?? 0,
      }
    case 'state':
      return {
        type: 'state',
        id: string(o.id, 'state.id'),
        devices: list(o.devices, 'state.devices').map(deviceState),
      }
    case 'error':
      return {
        type: 'error',
        ...(typeof o.id === 'string' ? { id: o.id } : {}),
        error: decodeHubError(o.error),
      }
    case 'closing': {
      const retryAfterMs = optionalNumber(o.retry_after_ms)
      return {
        type: 'closing',
        code: number(o.code, 'closing.code'),
        reason: typeof o.reason === 'string' ? o.reason : '',
        ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
      }
    }
    default:
      return null
  }
}

/** `{code, message, hint?}` as live and REST both send it. */
export function decodeHubError(raw: unknown): HubError {
  const o = object(raw, 'error')
  return {
    code: typeof o.code === 'string' ? o.code : 'unknown',
    message: typeof o.message === 'string' ? o.message : 'The hub gave no message.',
    ...(typeof o.hint === 'string' ? { hint: o.hint } : {}),
  }
}

export function decodeDescription(raw: unknown): SeriesDescription {
  const o = object(raw, 'series')
  const labels: Record<string, string> = {}
  for (const [name, value] of Object.entries(object(o.labels ?? {}, 'series.labels'))) {
    if (typeof value === 'string') labels[name] = value
  }
  return {
    device: string(o.device, 'series.device'),
    metric: string(o.metric, 'series.metric'),
    labels,
    unit: typeof o.unit === 'string' ? o.unit : '',
    kind: kind(o.kind),
  }
}

export function decodePoint(raw: unknown): Point {
  if (!Array.isArray(raw)) throw new ProtocolError(`a point is not a list: ${shown(raw)}`)
  return [number(raw[0], 'point time'), value(raw[1])]
}

export function decodeDeviceState(raw: unknown): DeviceStateEntry {
  return deviceState(raw)
}

function seriesEntry(raw: unknown): SeriesEntry {
  const o = object(raw, 'series')
  return {
    ...decodeDescription(raw),
    series: number(o.series, 'series.series'),
    points: list(o.points, 'series.points').map(decodePoint),
  }
}

function range(raw: unknown): Range {
  const o = object(raw, 'range')
  return {
    series: number(o.series, 'range.series'),
    from: number(o.from, 'range.from'),
    to: number(o.to, 'range.to'),
    points: list(o.points, 'range.points').map(decodePoint),
  }
}

function updatePoint(raw: unknown): readonly [number, number, Value] {
  if (!Array.isArray(raw)) throw new ProtocolError(`a point is not a list: ${shown(raw)}`)
  return [number(raw[0], 'point series'), number(raw[1], 'point time'), value(raw[2])]
}

const STATES: readonly string[] = ['online', 'silent', 'offline', 'unknown']

function deviceState(raw: unknown): DeviceStateEntry {
  const o = object(raw, 'device')
  const since = optionalNumber(o.since)
  const seen = optionalNumber(o.seen)
  return {
    device: string(o.device, 'device.device'),
    state: typeof o.state === 'string' && STATES.includes(o.state) ? (o.state as DeviceState) : 'unknown',
    ...(since === undefined ? {} : { since }),
    ...(seen === undefined ? {} : { seen }),
    ...(typeof o.via === 'string' && o.via !== '' ? { via: o.via } : {}),
  }
}

function kind(raw: unknown): Kind {
  return raw === 'counter' || raw === 'state' || raw === 'text' ? raw : 'gauge'
}

function cursorOf(o: Record<string, unknown>): { cursor?: Cursor } {
  return o.cursor === undefined || o.cursor === null ? {} : { cursor: o.cursor }
}

function object(raw: unknown, what: string): Record<string, unknown> {
  if (typeof raw !== 'object' || raw === null || Array.isArray(raw)) {
    throw new ProtocolError(`${what} is not a map: ${shown(raw)}`)
  }
  return raw as Record<string, unknown>
}

function list(raw: unknown, what: string): unknown[] {
  if (raw === undefined || raw === null) return []
  if (!Array.isArray(raw)) throw new ProtocolError(`${what} is not a list: ${shown(raw)}`)
  return raw
}

function string(raw: unknown, what: string): string {
  if (typeof raw !== 'string') throw new ProtocolError(`${what} is not text: ${shown(raw)}`)
  return raw
}

function number(raw: unknown, what: string): number {
  if (typeof raw !== 'number') throw new ProtocolError(`${what} is not a number: ${shown(raw)}`)
  return raw
}

function optionalNumber(raw: unknown): number | undefined {
  return typeof raw === 'number' ? raw : undefined
}

function value(raw: unknown): Value {
  if (typeof raw === 'number' || typeof raw === 'boolean' || typeof raw === 'string') return raw
  throw new ProtocolError(`a value is neither number, bool nor text: ${shown(raw)}`)
}

function shown(raw: unknown): string {
  return (JSON.stringify(raw) ?? String(raw)).slice(0, 60)
}
