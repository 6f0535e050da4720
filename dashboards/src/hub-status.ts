// What the hub says of itself, for its administrators: status, sizes, refusals and tokens.
import { ask } from './rest'
import { flag, list, map, number, numbers, optional, type Schemas, type Told, text } from './told'

export interface Reason {
  code: string
  message: string
}

export interface Gateway {
  via: string
  /** Devices that it brought last, by state. */
  devices: Readonly<Record<string, number>>
  seen: number | undefined
  /** It works off a backlog: how old what it sends now is, as a time. */
  backlogFrom: number | undefined
}

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

export interface CommitTimes {
  of: number
  p50Ms: number
  p99Ms: number
  maxMs: number
}

export interface HubStatus {
  version: string
  /** The hub's clock and its start, ms. */
  now: number
  started: number
  ready: boolean
  reasons: Reason[]
  series: number
  headPoints: number
  storePoints: number
  storeBytes: number
  disk: Disk | undefined
  /** Undefined before the first. */
  commits: CommitTimes | undefined
  influx: { away: string | undefined; awaySince: number | undefined; backlogBytes: number; refused: number } | undefined
  queue: { now: number; max: number }
  counters: Readonly<Record<string, number>>
  refused: Readonly<Record<string, number>>
  devices: Readonly<Record<string, number>>
  gateways: Gateway[]
  /** Batches of agents that came after the backup which this hub was restored from. */
  missing: { agent: string; from: number; to: number }[]
  setAside: { segment: string; what: string; bytes: number; loss: string }[]
}

export interface Refusal {
  time: number
  token: number
  tokenName: string
  device: string
  metric: string
  code: string
  message: string
}

export interface Token {
  id: number
  name: string
  role: string
  devices: string
  select: string
  created: number
}

/** What a form holds of a new token; what is empty is not sent. */
export type TokenWish = { readonly [K in keyof Required<Schemas['NewToken']>]: string }

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

export async function fetchStatus(): Promise<HubStatus> {
  return decodeStatus(await ask('get', '/api/v1/status'))
}

export async function fetchRefusals(): Promise<Refusal[]> {
  return list(map(await ask('get', '/api/v1/status/refusals')).refusals).map((raw) => {
    const o = map(raw)
    return {
      time: number(o.time),
      token: number(o.token),
      tokenName: text(o.token_name),
      device: text(o.device),
      metric: text(o.metric),
      code: text(o.code),
      message: text(o.message),
    }
  })
}

export async function fetchSizes(): Promise<Sizes> {
  const o = map(await ask('get', '/api/v1/stats', { query: { top: 10 } }))
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

export async function fetchTokens(): Promise<Token[]> {
  return list(map(await ask('get', '/api/v1/tokens')).tokens).map(decodeToken)
}

/** Makes a token; its secret is told this once. */
export async function createToken(wish: TokenWish): Promise<string> {
  const filled = Object.entries(wish).filter(([, value]) => value !== '')
  const body = Object.fromEntries(filled) as unknown as Schemas['NewToken']
  return text(map(await ask('post', '/api/v1/tokens', { body })).token)
}

export async function revokeToken(id: number): Promise<void> {
  await ask('delete', '/api/v1/tokens/{id}', { id: String(id) })
}

function decodeToken(raw: Told<Schemas['TokenRow']>): Token {
  const o = map(raw)
  return {
    id: number(o.id),
    name: text(o.name),
    role: text(o.role),
    devices: text(o.devices),
    select: text(o.select),
    created: number(o.created),
  }
}

export function decodeStatus(raw: Told<Schemas['StatusBody']>): HubStatus {
  const o = map(raw)
  const store = map(o.store)
  const queue = map(o.queue)
  return {
    version: text(o.version),
    now: number(o.now),
    started: number(o.started),
    ready: flag(o.ready),
    reasons: list(o.reasons).map((one) => ({ code: text(map(one).code), message: text(map(one).message) })),
    series: number(o.series),
    headPoints: number(o.head_points),
    storePoints: number(store.points),
    storeBytes: number(store.bytes),
    disk: decodeDisk(o.disk),
    commits: decodeCommits(o.commits),
    influx: decodeInflux(store.influxdb),
    queue: { now: number(queue.now), max: number(queue.max, 1) },
    counters: numbers(o.counters),
    refused: numbers(o.refused),
    devices: numbers(o.devices),
    gateways: list(o.gateways).map((one) => {
      const gateway = map(one)
      return {
        via: text(gateway.via),
        devices: numbers(gateway.devices),
        seen: optional(gateway.seen),
        backlogFrom: optional(gateway.backlog_from),
      }
    }),
    missing: list(o.missing).map((one) => {
      const missing = map(one)
      return { agent: text(missing.agent), from: number(missing.from), to: number(missing.to) }
    }),
    setAside: list(map(o.recovered).set_aside).map((one) => {
      const aside = map(one)
      return {
        segment: text(aside.segment),
        what: text(aside.what),
        bytes: number(aside.bytes),
        loss: text(aside.loss),
      }
    }),
  }
}

function decodeInflux(raw: Told<Schemas['StoreStatus']['influxdb']>): HubStatus['influx'] {
  if (typeof raw !== 'object' || raw === null) return undefined
  const o = map(raw)
  return {
    away: text(o.away) || undefined,
    awaySince: optional(o.away_since),
    backlogBytes: number(o.backlog_bytes),
    refused: number(o.refused),
  }
}

function decodeDisk(raw: Told<Schemas['StatusBody']['disk']>): Disk | undefined {
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

function decodeCommits(raw: Told<Schemas['StatusBody']['commits']>): CommitTimes | undefined {
  if (typeof raw !== 'object' || raw === null) return undefined
  const o = map(raw)
  return { of: number(o.of), p50Ms: number(o.p50_ms), p99Ms: number(o.p99_ms), maxMs: number(o.max_ms) }
}
