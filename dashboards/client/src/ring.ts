// A ring of points in time order: two Float64Array columns that grow by doubling up to a bound, then drop their oldest.
//
// Invariants: times never fall; `length <= capacity <= bound`; what was dropped is known (`droppedUpTo`), so that nobody
// takes a missing old point for a hole in the data.

export const RING_BOUND = 65_536
const FIRST_CAPACITY = 64

export class Ring {
  #times: Float64Array
  #values: Float64Array
  #start = 0
  #length = 0
  readonly #bound: number
  /** The newest time that was dropped because the ring was full; -Infinity while nothing was. */
  droppedUpTo = Number.NEGATIVE_INFINITY

  constructor(bound = RING_BOUND) {
    this.#bound = bound
    const capacity = Math.min(FIRST_CAPACITY, bound)
    this.#times = new Float64Array(capacity)
    this.#values = new Float64Array(capacity)
  }

  get length(): number {
    return this.#length
  }

  /** The time of the i-th point, oldest first; NaN outside. */
  timeAt(i: number): number {
    return i < 0 || i >= this.#length ? Number.NaN : (this.#times[this.#slot(i)] ?? Number.NaN)
  }

  /** The value of the i-th point, oldest first; NaN outside. */
  valueAt(i: number): number {
    return i < 0 || i >= this.#length ? Number.NaN : (this.#values[this.#slot(i)] ?? Number.NaN)
  }

  get firstTime(): number {
    return this.timeAt(0)
  }

  get lastTime(): number {
    return this.timeAt(this.#length - 1)
  }

  /** The first place whose time is not before `time`; `length` when all are. */
  lowerBound(time: number): number {
    let low = 0
    let high = this.#length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.timeAt(middle) < time) low = middle + 1
      else high = middle
    }
    return low
  }

  /** The first place whose time is after `time`; `length` when none is. */
  upperBound(time: number): number {
    let low = 0
    let high = this.#length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.timeAt(middle) <= time) low = middle + 1
      else high = middle
    }
    return low
  }

  /** Puts a point: at the end when it is not before the last, else in its place, where an equal time is overwritten. */
  put(time: number, value: number): void {
    if (this.#length === 0 || time > this.lastTime) {
      this.#push(time, value)
      return
    }
    const at = this.lowerBound(time)
    if (this.timeAt(at) === time) {
      this.#values[this.#slot(at)] = value
      return
    }
    // Older than all that a full ring still holds: it would be the next to go.
    if (at === 0 && (this.#length === this.#bound || time <= this.droppedUpTo)) {
      this.droppedUpTo = Math.max(this.droppedUpTo, time)
      return
    }
    this.#splice(at, at, [time], [value])
  }

  /** Appends without looking for an equal time: two readings closer than 0.25 us share a JSON time and are both kept. */
  append(time: number, value: number): void {
    if (this.#length > 0 && time < this.lastTime) this.put(time, value)
    else this.#push(time, value)
  }

  /** Forgets all points in [from, to] and puts these in their place; `times` are in order. */
  replace(from: number, to: number, times: readonly number[], values: readonly number[]): void {
    const low = this.lowerBound(from)
    const high = this.upperBound(to)
    // Points before what the ring holds would come back as an island after the place where it was cut.
    let first = 0
    while (first < times.length && (times[first] ?? 0) <= this.droppedUpTo) first += 1
    this.#splice(low, high, times.slice(first), values.slice(first))
  }

  clear(): void {
    this.#start = 0
    this.#length = 0
    this.droppedUpTo = Number.NEGATIVE_INFINITY
  }

  /** Drops what is before `time`. */
  trimBefore(time: number): void {
    const count = this.lowerBound(time)
    if (count > 0) this.#drop(count)
  }

  /** Copies of both columns, oldest first. For tests and for those who need one piece; drawing reads in place. */
  columns(): { times: Float64Array; values: Float64Array } {
    const times = new Float64Array(this.#length)
    const values = new Float64Array(this.#length)
    for (let i = 0; i < this.#length; i += 1) {
      times[i] = this.timeAt(i)
      values[i] = this.valueAt(i)
    }
    return { times, values }
  }

  #slot(i: number): number {
    const slot = this.#start + i
    return slot >= this.#times.length ? slot - this.#times.length : slot
  }

  #push(time: number, value: number): void {
    if (this.#length === this.#times.length) {
      if (this.#length >= this.#bound) this.#drop(1)
      else this.#resize(Math.min(this.#bound, this.#times.length * 2))
    }
    const slot = this.#slot(this.#length)
    this.#times[slot] = time
    this.#values[slot] = value
    this.#length += 1
  }

  #drop(count: number): void {
    this.droppedUpTo = Math.max(this.droppedUpTo, this.timeAt(count - 1))
    this.#start = this.#slot(count)
    this.#length -= count
    if (this.#length === 0 || this.#start >= this.#times.length) this.#start = 0
  }

  #resize(capacity: number): void {
    const { times, values } = this.columns()
    this.#times = new Float64Array(capacity)
    this.#values = new Float64Array(capacity)
    this.#times.set(times)
    this.#values.set(values)
    this.#start = 0
  }

  #splice(low: number, high: number, times: readonly number[], values: readonly number[]): void {
    const old = this.columns()
    const length = low + times.length + (this.#length - high)
    const skip = Math.max(0, length - this.#bound)
    let capacity = this.#times.length
    while (capacity < length && capacity < this.#bound) capacity = Math.min(this.#bound, capacity * 2)
    const newTimes = new Float64Array(length)
    const newValues = new Float64Array(length)
    newTimes.set(old.times.subarray(0, low))
    newValues.set(old.values.subarray(0, low))
    newTimes.set(times, low)
    newValues.set(values, low)
    newTimes.set(old.times.subarray(high), low + times.length)
    newValues.set(old.values.subarray(high), low + times.length)
    if (skip > 0) this.droppedUpTo = Math.max(this.droppedUpTo, newTimes[skip - 1] ?? this.droppedUpTo)
    this.#times = new Float64Array(capacity)
    this.#values = new Float64Array(capacity)
    this.#times.set(newTimes.subarray(skip))
    this.#values.set(newValues.subarray(skip))
    this.#start = 0
    this.#length = length - skip
  }
}
