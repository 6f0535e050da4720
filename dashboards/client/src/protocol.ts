// The words of `GET /api/v1/live`, and the one place where unknown data becomes typed.
//
// The type parameter `T` is the form of times. `number`: milliseconds since 1970, with a fraction where the reading has one;
// integers beyond 2^53 lose digits. `bigint`: nanoseconds, and integers beyond 2^53 are bigint too, so that nothing is lost.

export type Time = number | bigint
export type Value = number | boolean | string
/** Values beside times of form `T`. */
export type ValueOf<T extends Time> = T extends bigint ? Value | bigint : Value
export type Kind = 'gauge' | 'counter' | 'state' | 'text'
export type Point<T extends Time = number> = readonly [time: T, value: ValueOf<T>]
/** Opaque: kept and sent back as it came. */
export type Cursor = string

export interface SeriesDescription {
  device: string
  metric: string
  labels: Readonly<Record<string, string>>
  unit: string
  kind: Kind
}

export interface SeriesEntry<T extends Time = number> extends SeriesDescription {
  /** The number of the series in this subscription on this connection. */
  series: number
  points: Point<T>[]
}

export interface Range<T extends Time = number> {
  series: number
  from: T
  to: T
  points: Point<T>[]
}

export interface Snapshot<T extends Time = number> {
  type: 'snapshot'
  id: string
  recovered: boolean
  more: boolean
  /** Only in the last part. */
  cursor?: Cursor
  series: SeriesEntry<T>[]
  ranges: Range<T>[]
  /** So many readings this part leaves out, because `points` were asked for. */
  merged: number
}

export interface Update<T extends Time = number> {
  type: 'update'
  id: string
  cursor?: Cursor
  points: (readonly [series: number, time: T, value: ValueOf<T>])[]
  series: SeriesEntry<T>[]
  merged: number
}

export interface Patch<T extends Time = number> {
  type: 'patch'
  id: string
  cursor?: Cursor
  ranges: Range<T>[]
  series: SeriesEntry<T>[]
  merged: number
}

export type DeviceState = 'online' | 'silent' | 'offline' | 'unknown'

export interface DeviceStateEntry<T extends Time = number> {
  device: string
  state: DeviceState
  since?: T
  seen?: T
  via?: string
}

export interface States<T extends Time = number> {
  type: 'state'
  id: string
  devices: DeviceStateEntry<T>[]
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

export type HubMessage<T extends Time = number> =
  | Snapshot<T>
  | Update<T>
  | Patch<T>
  | States<T>
  | ErrorMessage
  | Closing
/** What belongs to one subscription. */
export type SubscriptionMessage<T extends Time = number> = Exclude<HubMessage<T>, Closing>

export interface SubscribeRequest {
  select: readonly string[]
  /** A duration such as `15m`; absent: each series' last known value. */
  history?: string
  /** At most so many frames a second; the hub's default is 10. */
  maxHz?: number
  /** Columns that `history` is merged into, such as the pixels of a chart. */
  points?: number
}

/** A message to the hub before it is encoded; keys that are undefined are left out. */
export type ClientMessage = Record<string, string | number | readonly string[] | undefined>

export function subscribeMessage(id: string, request: SubscribeRequest, cursor?: Cursor): ClientMessage {
  const { select, history, maxHz, points } = request
  return { type: 'subscribe', id, select, history, max_hz: maxHz, points, cursor }
}

export function unsubscribeMessage(id: string): ClientMessage {
  return { type: 'unsubscribe', id }
}

/** A message that does not keep to the protocol; `message` says where. */
export class ProtocolError extends Error {
  override name = 'ProtocolError'
}

/** How times and values of a form are told from what a decoder gives. */
export interface Form<T extends Time> {
  time(raw: unknown, what: string): T
  value(raw: unknown): ValueOf<T>
}

export const MILLISECONDS: Form<number> = { time: number, value }

export const NANOSECONDS: Form<bigint> = {
  time: (raw, what) => {
    if (typeof raw !== 'bigint') throw new ProtocolError(`${what} is not an integer of nanoseconds: ${shown(raw)}`)
    return raw
  },
  value: (raw) => (typeof raw === 'bigint' ? raw : value(raw)),
}

/** Reads one text frame. Unknown types give `null`: a newer hub may say more than we know. */
export function decodeMessage(text: string): HubMessage | null {
  let raw: unknown
  try {
    raw = JSON.parse(text)
  } catch {
    throw new ProtocolError(`a frame is not JSON: ${text.slice(0, 80)}`)
  }
  return readMessage(raw, MILLISECONDS)
}

/** Checks what a decoder made of one frame. Unknown types give `null`. */
export function readMessage<T extends Time>(raw: unknown, form: Form<T>): HubMessage<T> | null {
  const o = object(raw, 'message')
  switch (o.type) {
    case 'snapshot':
      return {
        type: 'snapshot',
        id: string(o.id, 'snapshot.id'),
        recovered: o.recovered === true,
        more: o.more === true,
        ...cursorOf(o),
        series: list(o.series, 'snapshot.series').map((entry) => seriesEntry(entry, form)),
        ranges: list(o.ranges, 'snapshot.ranges').map((entry) => range(entry, form)),
        merged: optionalNumber(o.merged) ?? 0,
      }
    case 'update':
      return {
        type: 'update',
        id: string(o.id, 'update.id'),
        ...cursorOf(o),
        points: list(o.points, 'update.points').map((point) => updatePoint(point, form)),
        series: list(o.series, 'update.series').map((entry) => seriesEntry(entry, form)),
        merged: optionalNumber(o.merged) ?? 0,
      }
    case 'patch':
      return {
        type: 'patch',
        id: string(o.id, 'patch.id'),
        ...cursorOf(o),
        ranges: list(o.ranges, 'patch.ranges').map((entry) => range(entry, form)),
        series: list(o.series, 'patch.series').map((entry) => seriesEntry(entry, form)),
        merged: optionalNumber(o.merged) ?? 0,
      }
    case 'state':
      return {
        type: 'state',
        id: string(o.id, 'state.id'),
        devices: list(o.devices, 'state.devices').map((entry) => deviceState(entry, form)),
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
  return point(raw, MILLISECONDS)
}

export function decodeDeviceState(raw: unknown): DeviceStateEntry {
  return deviceState(raw, MILLISECONDS)
}

function point<T extends Time>(raw: unknown, form: Form<T>): Point<T> {
  if (!Array.isArray(raw)) throw new ProtocolError(`a point is not a list: ${shown(raw)}`)
  return [form.time(raw[0], 'point time'), form.value(raw[1])]
}

function seriesEntry<T extends Time>(raw: unknown, form: Form<T>): SeriesEntry<T> {
  const o = object(raw, 'series')
  return {
    ...decodeDescription(raw),
    series: number(o.series, 'series.series'),
    points: list(o.points, 'series.points').map((entry) => point(entry, form)),
  }
}

function range<T extends Time>(raw: unknown, form: Form<T>): Range<T> {
  const o = object(raw, 'range')
  return {
    series: number(o.series, 'range.series'),
    from: form.time(o.from, 'range.from'),
    to: form.time(o.to, 'range.to'),
    points: list(o.points, 'range.points').map((entry) => point(entry, form)),
  }
}

function updatePoint<T extends Time>(raw: unknown, form: Form<T>): readonly [number, T, ValueOf<T>] {
  if (!Array.isArray(raw)) throw new ProtocolError(`a point is not a list: ${shown(raw)}`)
  return [number(raw[0], 'point series'), form.time(raw[1], 'point time'), form.value(raw[2])]
}

const STATES: readonly string[] = ['online', 'silent', 'offline', 'unknown']

function deviceState<T extends Time>(raw: unknown, form: Form<T>): DeviceStateEntry<T> {
  const o = object(raw, 'device')
  const time = (at: unknown, what: string) => (at === undefined || at === null ? undefined : form.time(at, what))
  const since = time(o.since, 'device.since')
  const seen = time(o.seen, 'device.seen')
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
  return o.cursor === undefined || o.cursor === null ? {} : { cursor: string(o.cursor, 'cursor') }
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
  const plain = (_: string, part: unknown) => (typeof part === 'bigint' ? String(part) : part)
  return (JSON.stringify(raw, plain) ?? String(raw)).slice(0, 60)
}
