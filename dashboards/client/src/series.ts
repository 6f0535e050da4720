// One series as a viewer holds it: what it is, a ring of its points, and its last known value.
//
// Numbers are kept as they are, bools as 0 and 1, texts as places in a small dictionary of the series, so that every ring
// is a pair of Float64Array columns.

import type { Point, SeriesDescription, Value } from './protocol.js'
import { RING_BOUND, Ring } from './ring.js'
import { decimalsOf, MOST_DECIMALS } from './units.js'

export type ValueType = 'number' | 'bool' | 'text'

/** The newest point that was trimmed: still the last known value while nothing newer is held. */
export interface Trimmed {
  point: Point
  /** Since when the value was this; `known` is false when the run began earlier. */
  changed: { time: number; known: boolean }
  /** Nothing lies between it and what is held. */
  joined: boolean
}

/** A key for maps: equal for the same device, metric and labels, whatever the order of the labels. */
export function seriesKey(d: { device: string; metric: string; labels: Readonly<Record<string, string>> }): string {
  const labels = Object.entries(d.labels).sort(([a], [b]) => (a < b ? -1 : 1))
  return JSON.stringify([d.device, d.metric, ...labels.flat()])
}

export class Series {
  readonly key: string
  device: string
  metric: string
  labels: Readonly<Record<string, string>>
  unit: string
  kind: SeriesDescription['kind']
  readonly ring: Ring
  /** The most decimals a value was sent with so far, as far as it matters for showing it. */
  decimals = 0
  #type: ValueType | undefined
  #texts: string[] = []
  #places = new Map<string, number>()
  #trimmed: Trimmed | undefined
  readonly #bound: number

  constructor(description: SeriesDescription, bound = RING_BOUND) {
    this.key = seriesKey(description)
    this.device = description.device
    this.metric = description.metric
    this.labels = description.labels
    this.unit = description.unit
    this.kind = description.kind
    this.#bound = bound
    this.ring = new Ring(bound)
  }

  /** Undefined until the first point. */
  get type(): ValueType | undefined {
    return this.#type
  }

  /** Unit and kind may change; identity does not. */
  describe(description: SeriesDescription): void {
    this.unit = description.unit
    this.kind = description.kind
  }

  append(time: number, value: Value): void {
    this.ring.append(time, this.#encode(value))
  }

  put(time: number, value: Value): void {
    this.ring.put(time, this.#encode(value))
  }

  replace(from: number, to: number, points: readonly Point[]): void {
    this.ring.replace(
      from,
      to,
      points.map((p) => p[0]),
      points.map((p) => this.#encode(p[1])),
    )
  }

  /** The last known value by event time, also when it was trimmed. */
  get last(): Point | undefined {
    const at = this.ring.length - 1
    return at < 0 ? this.#trimmed?.point : this.#pointAt(at)
  }

  /** The time of the first point of the run of equal values at the end; `known` is false when the run began earlier. */
  get lastChanged(): { time: number; known: boolean } | undefined {
    const at = this.ring.length - 1
    return at < 0 ? this.#trimmed?.changed : this.#changedAt(at)
  }

  /** What is known of the time before the ring. */
  get trimmed(): Trimmed | undefined {
    return this.#trimmed
  }

  /** Drops what is before `time`, but for the knowledge of the newest of it. */
  trimBefore(time: number): void {
    const at = this.ring.lowerBound(time) - 1
    if (at < 0) return
    this.#trimmed = { point: this.#pointAt(at), changed: this.#changedAt(at), joined: true }
    this.ring.trimBefore(time)
  }

  /** A reading from before what the ring covers. */
  putTrimmed(time: number, value: Value): void {
    const before = this.#trimmed
    this.forgetTrimmed(time, time)
    if (before !== undefined && time < before.point[0]) return
    this.#trimmed = { point: [time, value], changed: { time, known: false }, joined: before?.joined ?? false }
  }

  /** What is known of [from, to] is void, as far as it lies before the ring. */
  forgetTrimmed(from: number, to: number): void {
    const trimmed = this.#trimmed
    if (trimmed === undefined) return
    const time = trimmed.point[0]
    if (from <= time && to >= time) this.#trimmed = undefined
    else if (from <= time && to >= trimmed.changed.time) trimmed.changed = { time, known: false }
  }

  #pointAt(i: number): Point {
    return [this.ring.timeAt(i), this.decode(this.ring.valueAt(i))]
  }

  #changedAt(at: number): { time: number; known: boolean } {
    const { ring } = this
    const value = ring.valueAt(at)
    for (let i = at - 1; i >= 0; i -= 1) {
      if (ring.valueAt(i) !== value) return { time: ring.timeAt(i + 1), known: true }
    }
    const before = this.#trimmed
    // A full ring drops points that nobody looked at.
    const follows = before?.joined === true && before.point[0] >= ring.droppedUpTo
    if (before === undefined || !follows) return { time: ring.firstTime, known: false }
    return before.point[1] === this.decode(value) ? before.changed : { time: ring.firstTime, known: true }
  }

  /** A ring's number back as the value it stands for. */
  decode(raw: number): Value {
    if (this.#type === 'bool') return raw !== 0
    if (this.#type === 'text') return this.#texts[raw] ?? ''
    return raw
  }

  #encode(value: Value): number {
    if (typeof value === 'number') {
      this.#type ??= 'number'
      if (this.decimals < MOST_DECIMALS) this.decimals = Math.max(this.decimals, decimalsOf(value))
      return value
    }
    if (typeof value === 'boolean') {
      this.#type ??= 'bool'
      return value ? 1 : 0
    }
    this.#type ??= 'text'
    const known = this.#places.get(value)
    if (known !== undefined) return known
    if (this.#texts.length >= 2 * this.#bound) this.#forgetUnusedTexts()
    const place = this.#texts.length
    this.#texts.push(value)
    this.#places.set(value, place)
    return place
  }

  /** Texts that left the ring leave the dictionary, so that it stays within twice the ring's bound. */
  #forgetUnusedTexts(): void {
    const { times, values } = this.ring.columns()
    const old = this.#texts
    this.#texts = []
    this.#places = new Map()
    const renamed = Array.from(values, (raw) => this.#encode(old[raw] ?? ''))
    this.ring.replace(Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY, Array.from(times), renamed)
  }
}
