// From drawn lines to what uPlot takes, and what a crosshair reads off them. Pure.
import { aligned } from './aligned'
import type { DrawnLine, Gap } from './lines'

/** One time column in seconds, then per line its values; `undefined` where a line has no point there. */
export interface Table {
  data: [number[], ...(number | null | undefined)[][]]
  /** Per line the places of points with a gap on both sides: a line alone would not show them. */
  lonely: number[][]
  /** Of each line. */
  gaps?: readonly (readonly Gap[])[]
  /** Where none of the lines has a reading. */
  silences?: readonly Gap[]
}

/** Of `own` lines the silences are told; what is drawn behind them has its own times. */
export function tableOf(lines: readonly DrawnLine[], own = lines.length): Table {
  const { times, columns, lonely } = aligned(lines)
  const gaps = lines.map((line) => line.gaps ?? [])
  return {
    data: [times.map((time) => time / 1000), ...columns],
    lonely,
    gaps,
    silences: commonGaps(lines.slice(0, own)),
  }
}

/** The times at which every line that has readings at all has a gap. */
export function commonGaps(lines: readonly DrawnLine[]): Gap[] {
  const drawn = lines.filter((line) => line.times.length > 0)
  const [first, ...rest] = drawn.map((line) => line.gaps ?? [])
  return rest.reduce<Gap[]>((common, gaps) => common.flatMap((one) => overlaps(one, gaps)), [...(first ?? [])])
}

function overlaps(one: Gap, others: readonly Gap[]): Gap[] {
  return others.flatMap((other) => {
    const [from, to] = [Math.max(one.from, other.from), Math.min(one.to, other.to)]
    if (from >= to) return []
    const open = one.open === true && other.open === true
    return [open ? { from, to, open } : { from, to }]
  })
}

/** The gap in which a time lies. At its ends there are readings. */
export function gapAt(gaps: readonly Gap[], time: number): Gap | undefined {
  return gaps.find((gap) => gap.from < time && (time < gap.to || (gap.open === true && time === gap.to)))
}

/** The value of a line at or last before a time, as the readout under the crosshair shows it; not across a gap. */
export function valueBefore(line: DrawnLine, time: number): number | null {
  if (gapAt(line.gaps ?? [], time) !== undefined) return null
  const at = placeBefore(line.times, time)
  return at === undefined ? null : (line.values[at] ?? null)
}

/** The last value of a line up to a time: lines go on to the point behind a window, so that they reach its edge. */
export function lastUpTo(line: DrawnLine, time: number): number | null {
  const at = placeBefore(line.times, time)
  if (at === undefined) return null
  // Where a counter began anew, or between two readings, the line is broken.
  return line.values[at] ?? line.values[at - 1] ?? null
}

/** The place of the last of `times`, which are in order, that is not after `time`. */
function placeBefore(times: readonly number[], time: number): number | undefined {
  let low = 0
  let high = times.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((times[middle] ?? 0) <= time) low = middle + 1
    else high = middle
  }
  return low === 0 ? undefined : low - 1
}

/** Where the mark on a line stands for a crosshair at this time: on the point whose value is read out. */
export function markPlace({ data, gaps }: Pick<Table, 'data' | 'gaps'>, line: number, seconds: number): number | null {
  const [times] = data
  if (gapAt(gaps?.[line] ?? [], seconds * 1000) !== undefined) return null
  const column = data[line + 1]
  let at = placeBefore(times, seconds)
  // The other lines' points stand between those of this one.
  while (at !== undefined && at > 0 && column?.[at] === undefined) at -= 1
  return at === undefined || typeof column?.[at] !== 'number' ? null : at
}
