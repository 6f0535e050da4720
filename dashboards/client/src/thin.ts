// Thinning for pixels: of each column of a chart at most the first, lowest, highest and last point, so that a spike is
// never lost and no more is drawn than can be seen.

export interface Source {
  readonly length: number
  timeAt(i: number): number
  valueAt(i: number): number
}

export interface Line {
  times: number[]
  values: number[]
}

/** The points of `source` at places [low, high) in `columns` equal columns over [from, to]. */
export function thin(source: Source, low: number, high: number, from: number, to: number, columns: number): Line {
  const times: number[] = []
  const values: number[] = []
  if (high - low <= columns * 2) {
    for (let i = low; i < high; i += 1) {
      times.push(source.timeAt(i))
      values.push(source.valueAt(i))
    }
    return { times, values }
  }
  const width = (to - from) / columns
  const columnOf = (i: number) => Math.floor((source.timeAt(i) - from) / width)
  let i = low
  while (i < high) {
    const column = columnOf(i)
    const first = i
    let lowest = i
    let highest = i
    i += 1
    while (i < high && columnOf(i) === column) {
      if (source.valueAt(i) < source.valueAt(lowest)) lowest = i
      if (source.valueAt(i) > source.valueAt(highest)) highest = i
      i += 1
    }
    const last = i - 1
    const places = [...new Set([first, lowest, highest, last])].sort((a, b) => a - b)
    for (const place of places) {
      times.push(source.timeAt(place))
      values.push(source.valueAt(place))
    }
  }
  return { times, values }
}

/** The usual distance between points: the median of the last `most`. NaN for fewer than three points. */
export function usualStep(source: Source, most = 64): number {
  const low = Math.max(1, source.length - most)
  const steps: number[] = []
  for (let i = low; i < source.length; i += 1) steps.push(source.timeAt(i) - source.timeAt(i - 1))
  if (steps.length < 2) return Number.NaN
  steps.sort((a, b) => a - b)
  return steps[steps.length >>> 1] ?? Number.NaN
}
