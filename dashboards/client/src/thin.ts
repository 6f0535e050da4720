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
  let i = low
  while (i < high) {
    const end = from + (Math.floor((source.timeAt(i) - from) / width) + 1) * width
    const first = i
    let lowest = i
    let highest = i
    let least = source.valueAt(i)
    let most = least
    i += 1
    while (i < high && source.timeAt(i) < end) {
      const value = source.valueAt(i)
      if (value < least) {
        least = value
        lowest = i
      } else if (value > most) {
        most = value
        highest = i
      }
      i += 1
    }
    let before = -1
    for (const place of [first, Math.min(lowest, highest), Math.max(lowest, highest), i - 1]) {
      if (place === before) continue
      before = place
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
