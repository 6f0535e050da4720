// What the hub says of itself, for its administrators: what it takes and keeps, who sends, and what is wrong.
import { ask } from '../rest'
import { flag, list, map, number, numbers, optional, type Schemas, type Told, text } from '../told'
import { type Disk, decodeDisk } from './disk'

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

export interface CommitTimes {
  of: number
  p50Ms: number
  p99Ms: number
  maxMs: number
}

/** InfluxDB as the store. */
export interface Influx {
  away: string | undefined
  awaySince: number | undefined
  backlogBytes: number
  refused: number
}

/** Batches of an agent that came after the backup which this hub was restored from. */
export interface Missing {
  agent: string
  from: number
  to: number
}

/** A part of the log that could not be read. */
export interface SetAside {
  segment: string
  what: string
  bytes: number
  loss: string
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
  influx: Influx | undefined
  queue: { now: number; max: number }
  counters: Readonly<Record<string, number>>
  refused: Readonly<Record<string, number>>
  devices: Readonly<Record<string, number>>
  gateways: Gateway[]
  missing: Missing[]
  setAside: SetAside[]
}

export async function fetchStatus(): Promise<HubStatus> {
  return decodeStatus(await ask('get', '/api/v1/status'))
}

type Raw = Schemas['StatusBody']

export function decodeStatus(raw: Told<Raw>): HubStatus {
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
    gateways: list(o.gateways).map(decodeGateway),
    missing: list(o.missing).map(decodeMissing),
    setAside: list(map(o.recovered).set_aside).map(decodeAside),
  }
}

function decodeGateway(raw: Told<Schemas['Gateway']>): Gateway {
  const o = map(raw)
  return {
    via: text(o.via),
    devices: numbers(o.devices),
    seen: optional(o.seen),
    backlogFrom: optional(o.backlog_from),
  }
}

function decodeMissing(raw: Told<Schemas['MissingRow']>): Missing {
  const o = map(raw)
  return { agent: text(o.agent), from: number(o.from), to: number(o.to) }
}

function decodeAside(raw: Told<Schemas['SetAsideRow']>): SetAside {
  const o = map(raw)
  return { segment: text(o.segment), what: text(o.what), bytes: number(o.bytes), loss: text(o.loss) }
}

function decodeInflux(raw: Told<Schemas['StoreStatus']['influxdb']>): Influx | undefined {
  if (typeof raw !== 'object' || raw === null) return undefined
  const o = map(raw)
  return {
    away: text(o.away) || undefined,
    awaySince: optional(o.away_since),
    backlogBytes: number(o.backlog_bytes),
    refused: number(o.refused),
  }
}

function decodeCommits(raw: Told<Raw['commits']>): CommitTimes | undefined {
  if (typeof raw !== 'object' || raw === null) return undefined
  const o = map(raw)
  return { of: number(o.of), p50Ms: number(o.p50_ms), p99Ms: number(o.p99_ms), maxMs: number(o.max_ms) }
}
