// Lines with times of their own as columns over one time: what each drawing of a chart begins with, so it is quick. Pure.

interface Timed {
  /** In order. */
  times: readonly number[]
  values: readonly (number | null)[]
}

export interface Aligned {
  times: number[]
  /** `undefined` where a line has no point at a time, `null` where it is broken. */
  columns: (number | null | undefined)[][]
  /** Per line the places of points with a gap on both sides: a line alone would not show them. */
  lonely: number[][]
}

export function aligned(lines: readonly Timed[]): Aligned {
  const times = timesOf(lines)
  const columns: Aligned['columns'] = []
  const lonely: number[][] = []
  for (const line of lines) {
    const column: (number | null | undefined)[] = new Array(times.length).fill(undefined)
    const alone: number[] = []
    let at = 0
    line.times.forEach((time, i) => {
      const value = line.values[i] ?? null
      // A break reaches from point to point: at times of other lines between them, too.
      const isBroken = i > 0 && (value === null || isNull(line.values[i - 1]))
      while ((times[at] ?? time) < time) {
        if (isBroken && column[at] === undefined) column[at] = null
        at += 1
      }
      column[at] = value
      if (value !== null && isNull(line.values[i - 1]) && isNull(line.values[i + 1])) alone.push(at)
    })
    columns.push(column)
    lonely.push(alone)
  }
  return { times, columns, lonely }
}

function isNull(value: number | null | undefined): boolean {
  return (value ?? null) === null
}

/** The times of all lines in order, each once. */
function timesOf(lines: readonly Timed[]): number[] {
  const all = new Float64Array(lines.reduce((sum, { times }) => sum + times.length, 0))
  let end = 0
  for (const { times } of lines) {
    all.set(times, end)
    end += times.length
  }
  // Numbers in a typed array are sorted without a call for each pair.
  all.sort()
  const once: number[] = []
  let last = Number.NaN
  for (const time of all) {
    if (time !== last) once.push(time)
    last = time
  }
  return once
}
