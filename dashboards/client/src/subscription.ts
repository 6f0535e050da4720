// One subscription: what was asked, what is held, and how each message of the hub changes it.
//
// Invariant (contract, "Exactness"): after `apply` of a frame with a cursor, the series held here equal what history
// returned at that commit, for times from `coverFrom` on. What the hub says about earlier times is not kept, but told
// as a `stale` range, so that whoever shows older history asks for it again.
// A snapshot in parts is staged and applied whole: a half snapshot is never seen, and the old picture stays until then.

import {
  type Cursor,
  type DeviceStateEntry,
  type HubError,
  type Point,
  ProtocolError,
  type Range,
  type SeriesDescription,
  type Snapshot,
  type SubscribeRequest,
  type SubscriptionMessage,
  type Update,
  type Value,
} from './protocol.js'
import { RING_BOUND } from './ring.js'
import { Series, seriesKey } from './series.js'

export type Phase = 'asked' | 'live' | 'refused'

export interface Subscription {
  readonly id: string
  readonly request: SubscribeRequest
  readonly ringBound: number
  phase: Phase
  error: HubError | undefined
  cursor: Cursor | undefined
  /**
   * Complete from this time on; -Infinity for a subscription without history, which holds last known values; Infinity for one
   * with history that was refused.
   */
  coverFrom: number
  series: Map<string, Series>
  devices: Map<string, DeviceStateEntry>
  /** Rises with every change of what is held. */
  version: number
  /** Rises when a series comes or changes unit or kind, or when all are put anew. */
  shape: number
  /** The hub's numbers for the series, of this connection. */
  numbers: Map<number, Series>
  staged: Snapshot[]
}

/** What a message did, beyond what is held now. */
export interface Effects {
  changed: boolean
  /** All was put anew (not resumed): whatever was derived from older frames is void. */
  replaced: boolean
  /** Ask history again for this time range, in ms, both ends inside: readings were merged or lie before `coverFrom`. */
  stale: { from: number; to: number } | undefined
}

export function newSubscription(id: string, request: SubscribeRequest, ringBound = RING_BOUND): Subscription {
  return {
    id,
    request,
    ringBound,
    phase: 'asked',
    error: undefined,
    cursor: undefined,
    coverFrom: Number.NEGATIVE_INFINITY,
    series: new Map(),
    devices: new Map(),
    version: 0,
    shape: 0,
    numbers: new Map(),
    staged: [],
  }
}

/** A new connection: numbers and half snapshots are void, what is held and the cursor stay. */
export function beginConnection(sub: Subscription): void {
  sub.numbers.clear()
  sub.staged = []
  sub.phase = 'asked'
  sub.error = undefined
}

/** Gives up the cursor, so that the next snapshot comes whole. */
export function forgetCursor(sub: Subscription): void {
  sub.cursor = undefined
}

/** Applies one message. `now` is the hub's time in ms, as well as the caller knows it. */
export function apply(sub: Subscription, message: SubscriptionMessage, now: number): Effects {
  const effects: Effects = { changed: true, replaced: false, stale: undefined }
  switch (message.type) {
    case 'snapshot':
      sub.staged.push(message)
      if (message.more) return { ...effects, changed: false }
      applySnapshot(sub, sub.staged, now, effects)
      sub.staged = []
      sub.phase = 'live'
      break
    case 'update':
      applyUpdate(sub, message, effects)
      break
    case 'patch':
      for (const entry of message.series) introduce(sub, entry.series, entry)
      for (const range of message.ranges) {
        if (message.merged > 0) widen(effects, range.from, range.to)
        applyRange(sub, range, effects)
      }
      break
    case 'state':
      for (const device of message.devices) sub.devices.set(device.device, device)
      break
    case 'error':
      sub.phase = 'refused'
      sub.error = message.error
      // Nothing follows what is held: whoever shows it asks history for all of it.
      forgetCursor(sub)
      if (sub.request.history !== undefined) trimBefore(sub, Number.POSITIVE_INFINITY)
      break
  }
  if ('cursor' in message && message.cursor !== undefined) sub.cursor = message.cursor
  sub.version += 1
  return effects
}

/** Forgets what is older than `time`, but for each series' last known value; from then on the subscription covers less. */
export function trimBefore(sub: Subscription, time: number): void {
  if (time <= sub.coverFrom) return
  sub.coverFrom = time
  for (const series of sub.series.values()) series.trimBefore(time)
}

/** `15m`, `1h`, `90s`, `7d`, `250ms` in milliseconds. */
export function durationMs(text: string): number {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h|d|w)$/.exec(text)
  const unit = { ms: 1, s: 1e3, m: 6e4, h: 36e5, d: 864e5, w: 6048e5 }[match?.[2] ?? '']
  if (match?.[1] === undefined || unit === undefined) {
    throw new RangeError(`a duration such as 15m was expected, not ${JSON.stringify(text)}`)
  }
  return Number(match[1]) * unit
}

/** The snapshot is older than its arrival, and the hub's clock is known to a second or two. */
const COVER_SLACK_MS = 2_000

function applySnapshot(sub: Subscription, parts: readonly Snapshot[], now: number, effects: Effects): void {
  const recovered = parts.every((part) => part.recovered)
  if (!recovered) {
    sub.series = new Map()
    sub.shape += 1
    sub.numbers.clear()
    sub.coverFrom =
      sub.request.history === undefined
        ? Number.NEGATIVE_INFINITY
        : now - durationMs(sub.request.history) + COVER_SLACK_MS
    effects.replaced = true
  }
  for (const part of parts) for (const entry of part.series) introduce(sub, entry.series, entry)
  for (const part of parts) for (const range of part.ranges) applyRange(sub, range, effects)
  for (const part of parts) {
    for (const entry of part.series) {
      const series = seriesOf(sub, entry.series)
      for (const [time, value] of entry.points)
        keep(sub, series, time, value, recovered, recovered ? effects : undefined)
    }
  }
}

function applyUpdate(sub: Subscription, message: Update, effects: Effects): void {
  for (const entry of message.series) introduce(sub, entry.series, entry)
  if (message.merged > 0) {
    for (const [number, time] of message.points) {
      const before = seriesOf(sub, number).ring.lastTime
      widen(effects, Number.isNaN(before) ? time : before, time)
    }
  }
  for (const entry of message.series) {
    const series = seriesOf(sub, entry.series)
    for (const [time, value] of entry.points) keep(sub, series, time, value, false, effects)
  }
  for (const [number, time, value] of message.points) keep(sub, seriesOf(sub, number), time, value, false, effects)
}

function applyRange(sub: Subscription, range: Range, effects: Effects): void {
  const series = seriesOf(sub, range.series)
  if (range.from >= sub.coverFrom) {
    series.replace(range.from, range.to, range.points)
    return
  }
  widen(effects, range.from, Math.min(range.to, sub.coverFrom))
  series.forgetTrimmed(range.from, range.to)
  for (const [time, value] of range.points) if (time < sub.coverFrom) series.putTrimmed(time, value)
  if (range.to < sub.coverFrom) return
  const kept: Point[] = range.points.filter(([time]) => time >= sub.coverFrom)
  series.replace(sub.coverFrom, range.to, kept)
}

function keep(
  sub: Subscription,
  series: Series,
  time: number,
  value: Value,
  overwrite: boolean,
  effects: Effects | undefined,
): void {
  if (time < sub.coverFrom) {
    if (effects !== undefined) widen(effects, time, time)
    series.putTrimmed(time, value)
    return
  }
  if (overwrite) series.put(time, value)
  else series.append(time, value)
}

function introduce(sub: Subscription, number: number, description: SeriesDescription): void {
  const key = seriesKey(description)
  let series = sub.series.get(key)
  if (series === undefined) {
    series = new Series(description, sub.ringBound)
    sub.series.set(key, series)
    sub.shape += 1
  } else if (series.unit !== description.unit || series.kind !== description.kind) {
    series.describe(description)
    sub.shape += 1
  }
  sub.numbers.set(number, series)
}

function seriesOf(sub: Subscription, number: number): Series {
  const series = sub.numbers.get(number)
  if (series === undefined) throw new ProtocolError(`series ${number} of subscription ${sub.id} was never described`)
  return series
}

function widen(effects: Effects, from: number, to: number): void {
  effects.stale =
    effects.stale === undefined
      ? { from, to }
      : { from: Math.min(effects.stale.from, from), to: Math.max(effects.stale.to, to) }
}
