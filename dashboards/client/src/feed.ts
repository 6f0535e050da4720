// One subscription as a feed of changes: messages become plain changes of a map (series, time) -> value. Nothing is kept but
// the descriptions of the series. Pure.
//
// Invariant (contract, "Exactness"): whoever applies every change to a map (`reset`: forget all; then forget each range of
// `forget`; then put each of `points`) holds, at every cursor, what history returned at that commit, but for what `merged`
// says was left out. A snapshot in parts is one change: a half snapshot is never seen.

import {
  type Cursor,
  ProtocolError,
  type Range,
  type SeriesDescription,
  type Snapshot,
  type SubscriptionMessage,
  type Time,
  type Update,
  type ValueOf,
} from './protocol.js'
import { seriesKey } from './series.js'

/** What a series is. One object for a series as long as the feed knows it, so it may be the key of a Map. */
export interface SeriesInfo extends SeriesDescription {
  /** Equal for the same device, metric and labels in every feed. */
  readonly key: string
}

export interface DataPoint<T extends Time = number> {
  readonly series: SeriesInfo
  readonly time: T
  readonly value: ValueOf<T>
}

/** Forget what you have of the series from `from` to `to`, both inside. */
export interface Forget<T extends Time = number> {
  readonly series: SeriesInfo
  readonly from: T
  readonly to: T
}

export interface Change<T extends Time = number> {
  readonly type: 'snapshot' | 'update' | 'patch'
  /** Forget everything first: a snapshot that does not go on from a cursor. */
  readonly reset: boolean
  readonly forget: readonly Forget<T>[]
  /** In time order for each series. */
  readonly points: readonly DataPoint<T>[]
  /** So many readings were left out, because this viewer was slow or asked for `points`; of a snapshot, in all its parts. */
  readonly merged: number
  /** Where one stands who has this change. */
  readonly cursor: Cursor | undefined
}

type Data<T extends Time> = Exclude<SubscriptionMessage<T>, { type: 'state' } | { type: 'error' }>

export class Feed<T extends Time> {
  cursor: Cursor | undefined
  #series = new Map<string, SeriesInfo>()
  #numbers = new Map<number, SeriesInfo>()
  #staged: Snapshot<T>[] = []

  constructor(cursor?: Cursor) {
    this.cursor = cursor
  }

  /** The series that the hub has described since the last reset. */
  get series(): Iterable<SeriesInfo> {
    return this.#series.values()
  }

  /** A new connection: numbers and half snapshots are void. */
  begin(): void {
    this.#numbers.clear()
    this.#staged = []
  }

  /** The change of a message; undefined when it changes nothing that a user sees. */
  change(message: Data<T>): Change<T> | undefined {
    const change = message.type === 'snapshot' ? this.#snapshot(message) : this.#news(message)
    if (message.cursor !== undefined) this.cursor = message.cursor
    return change
  }

  #snapshot(part: Snapshot<T>): Change<T> | undefined {
    this.#staged.push(part)
    if (part.more) return undefined
    const parts = this.#staged
    this.#staged = []
    const reset = !parts.every((p) => p.recovered)
    if (reset) this.#forgetSeries(parts)
    for (const p of parts) this.#introduce(p.series)
    const patched = this.#ranges(parts.flatMap((p) => p.ranges))
    const points = patched.points
    for (const p of parts) {
      for (const entry of p.series) this.#push(points, entry.series, entry.points)
    }
    const merged = parts.reduce((sum, p) => sum + p.merged, 0)
    return { type: 'snapshot', reset, forget: patched.forget, points, merged, cursor: part.cursor }
  }

  #news(message: Exclude<Data<T>, Snapshot<T>>): Change<T> | undefined {
    this.#introduce(message.series)
    const { cursor, merged } = message
    const { forget, points } =
      message.type === 'patch' ? this.#ranges(message.ranges) : { forget: [], points: this.#updated(message) }
    if (forget.length === 0 && points.length === 0 && merged === 0) return undefined
    return { type: message.type, reset: false, forget, points, merged, cursor }
  }

  #updated(message: Update<T>): DataPoint<T>[] {
    const points: DataPoint<T>[] = []
    for (const entry of message.series) this.#push(points, entry.series, entry.points)
    for (const [number, time, value] of message.points) points.push({ series: this.#of(number), time, value })
    return points
  }

  /** Ranges in their order: what a later one forgets of an earlier one's points is not listed at all. */
  #ranges(ranges: readonly Range<T>[]): { forget: Forget<T>[]; points: DataPoint<T>[] } {
    const forget: Forget<T>[] = []
    const kept: { series: number; points: Range<T>['points'] }[] = []
    const laterOf = new Map<number, Range<T>[]>()
    for (const range of [...ranges].reverse()) {
      const later = laterOf.get(range.series) ?? []
      const gone = (time: T) => later.some((l) => l.from <= time && time <= l.to)
      kept.push({
        series: range.series,
        points: later.some((l) => l.from <= range.to) ? range.points.filter(([time]) => !gone(time)) : range.points,
      })
      forget.push({ series: this.#of(range.series), from: range.from, to: range.to })
      later.push(range)
      laterOf.set(range.series, later)
    }
    const points: DataPoint<T>[] = []
    for (const { series, points: some } of kept.reverse()) this.#push(points, series, some)
    return { forget: forget.reverse(), points }
  }

  #push(points: DataPoint<T>[], number: number, some: Range<T>['points']): void {
    if (some.length === 0) return
    const series = this.#of(number)
    for (const [time, value] of some) points.push({ series, time, value })
  }

  /** Only what the snapshot names stays known; it keeps its object. */
  #forgetSeries(parts: readonly Snapshot<T>[]): void {
    const named = new Set(parts.flatMap((part) => part.series.map(seriesKey)))
    for (const key of this.#series.keys()) if (!named.has(key)) this.#series.delete(key)
    this.#numbers.clear()
  }

  #introduce(entries: readonly (SeriesDescription & { series: number })[]): void {
    for (const { series: number, device, metric, labels, unit, kind } of entries) {
      const key = seriesKey({ device, metric, labels })
      const known = this.#series.get(key)
      const info = known ?? { key, device, metric, labels, unit, kind }
      info.unit = unit
      info.kind = kind
      this.#series.set(key, info)
      this.#numbers.set(number, info)
    }
  }

  #of(number: number): SeriesInfo {
    const series = this.#numbers.get(number)
    if (series === undefined) throw new ProtocolError(`series ${number} was never described`)
    return series
  }
}
