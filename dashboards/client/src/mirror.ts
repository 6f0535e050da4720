// A map (series, time) -> value that changes are applied to: the shortest way to hold what the hub holds.

import type { Change, DataPoint, SeriesInfo } from './feed.js'
import type { Time, ValueOf } from './protocol.js'

interface Columns<T extends Time> {
  times: T[]
  values: ValueOf<T>[]
}

export class Mirror<T extends Time = number> {
  #columns = new Map<SeriesInfo, Columns<T>>()

  apply(change: Change<T>): void {
    if (change.reset) this.#columns.clear()
    for (const { series, from, to } of change.forget) {
      const columns = this.#columns.get(series)
      if (columns === undefined) continue
      const low = placeOf(columns.times, (time) => time >= from)
      const high = placeOf(columns.times, (time) => time > to)
      columns.times.splice(low, high - low)
      columns.values.splice(low, high - low)
    }
    for (const point of change.points) this.#put(point)
  }

  /** The series that have points. */
  get series(): SeriesInfo[] {
    return [...this.#columns].filter(([, columns]) => columns.times.length > 0).map(([series]) => series)
  }

  /** Times and values of a series, oldest first. Not copies: to be read before the next change. */
  columns(series: SeriesInfo): { readonly times: readonly T[]; readonly values: readonly ValueOf<T>[] } {
    return this.#columns.get(series) ?? { times: [], values: [] }
  }

  /** The newest point of a series. */
  last(series: SeriesInfo): { time: T; value: ValueOf<T> } | undefined {
    const columns = this.#columns.get(series)
    const time = columns?.times.at(-1)
    const value = columns?.values.at(-1)
    return time === undefined || value === undefined ? undefined : { time, value }
  }

  /** Drops what is older. Without it a mirror grows for as long as it is fed. */
  trimBefore(time: T): void {
    for (const { times, values } of this.#columns.values()) {
      const low = placeOf(times, (at) => at >= time)
      times.splice(0, low)
      values.splice(0, low)
    }
  }

  #put({ series, time, value }: DataPoint<T>): void {
    let columns = this.#columns.get(series)
    if (columns === undefined) {
      columns = { times: [], values: [] }
      this.#columns.set(series, columns)
    }
    const { times, values } = columns
    const last = times.at(-1)
    if (last === undefined || last < time) {
      times.push(time)
      values.push(value)
      return
    }
    const at = placeOf(times, (other) => other >= time)
    const same = times[at] === time
    times.splice(at, same ? 1 : 0, time)
    values.splice(at, same ? 1 : 0, value)
  }
}

/** The first place that `reached` holds for; the length when it holds for none. It holds from some place on. */
function placeOf<T>(sorted: readonly T[], reached: (item: T) => boolean): number {
  let low = 0
  let high = sorted.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (reached(sorted[middle] as T)) high = middle
    else low = middle + 1
  }
  return low
}
