// From what is held to what is drawn: pure functions that give uPlot ready columns.
//
// A line has two sources: `older`, which history gave, perhaps thinned, and the live ring, which is complete from `cover`
// on. Where time passed without a reading for much longer than usual the line is broken: gaps are gaps.
import { type Line, type Source, thin, usualStep } from '@telltale/client'

export interface LineSource {
  older: Line
  ring: Source
  /** The ring is complete from here on; older points are drawn before it. */
  cover: number
  /** A rising counter is drawn as its rate per second. */
  counter: boolean
  /** How much one in a second is in the unit that is shown; 1 where it is not said. */
  rateFactor?: number
  /** The width of a column of `older`, in ms; 0 when it was not thinned. */
  olderColumn: number
  /** Up to here readings may have come: a silence at the end is told up to then. Without, it is not told. */
  known?: number
}

/** A gap is this many usual steps, and never shorter than the least. */
const GAP_STEPS = 3.5
const GAP_LEAST_MS = 1_500
/** Where a silence reaches to now, readings may be under way: many senders send some at once. */
const OPEN_LEAST_MS = 60_000

/** A silence much longer than usual: from the last reading before it to the first after it. */
export interface Gap {
  from: number
  to: number
  /** It lasts on: `to` is only how far it is known to reach. */
  open?: boolean
}

/** Values of one line with `null` where it is broken. */
export interface DrawnLine {
  times: number[]
  values: (number | null)[]
  gaps?: readonly Gap[]
}

export function drawLine(source: LineSource, from: number, to: number, columns: number): DrawnLine {
  const joined = join(source, to)
  const found = runs(joined, source, from, to)
  const drawn = { times: [] as number[], values: [] as (number | null)[], gaps: gapsBetween(joined, source, found, to) }
  for (const run of found) {
    const pieces = source.counter ? rates(joined, run, source.rateFactor ?? 1) : [{ line: joined as Source, ...run }]
    for (const piece of pieces) {
      const line = thin(piece.line, piece.low, piece.high, from, to, columns)
      const before = drawn.times.at(-1)
      const first = line.times[0]
      if (first === undefined) continue
      if (before !== undefined) {
        drawn.times.push((before + first) / 2)
        drawn.values.push(null)
      }
      for (let i = 0; i < line.times.length; i += 1) {
        drawn.times.push(line.times[i] ?? Number.NaN)
        drawn.values.push(line.values[i] ?? null)
      }
    }
  }
  return drawn
}

interface Run {
  low: number
  high: number
}

interface Joined extends Source {
  /** Points of `older` that come before the ring. */
  readonly older: number
}

/** Of a window that ends before the ring is complete the ring tells nothing: what lies between is not known. */
function join({ older, ring, cover }: LineSource, to: number): Joined {
  let count = 0
  while (count < older.times.length && (older.times[count] ?? 0) < cover) count += 1
  return {
    older: count,
    length: count + (to <= cover ? 0 : ring.length),
    timeAt: (i) => (i < count ? (older.times[i] ?? Number.NaN) : ring.timeAt(i - count)),
    valueAt: (i) => (i < count ? (older.values[i] ?? Number.NaN) : ring.valueAt(i - count)),
  }
}

/** The stretches without a gap within [from, to], with one point more on either side so that lines reach the edges. */
function runs(joined: Joined, source: LineSource, from: number, to: number): Run[] {
  const low = Math.max(0, lowerBound(joined, from) - 1)
  const high = Math.min(joined.length, lowerBound(joined, to) + 1)
  const gaps = gapLengths(source)
  const found: Run[] = []
  let start = low
  for (let i = low + 1; i < high; i += 1) {
    const gap = i <= joined.older ? gaps.older : gaps.ring
    if (joined.timeAt(i) - joined.timeAt(i - 1) > gap) {
      found.push({ low: start, high: i })
      start = i
    }
  }
  if (start < high) found.push({ low: start, high })
  return found
}

/** What lies between the runs, and behind the last when nothing has come for so long. */
function gapsBetween(joined: Joined, source: LineSource, found: readonly Run[], to: number): Gap[] {
  const gaps: Gap[] = []
  found.forEach((run, i) => {
    const from = joined.timeAt(run.high - 1)
    const next = found[i + 1]
    // While older history does not reach the ring, there may be readings between.
    const isUnknown = source.known !== undefined && source.known < source.cover && next?.low === joined.older
    if (next !== undefined && !isUnknown) gaps.push({ from, to: joined.timeAt(next.low) })
    else if (next === undefined && run.high === joined.length && source.known !== undefined) {
      const { older, ring } = gapLengths(source)
      const end = Math.min(to, source.known)
      const least = end === source.known ? OPEN_LEAST_MS : 0
      if (end - from > Math.max(least, run.high <= joined.older ? older : ring))
        gaps.push({ from, to: end, open: true })
    }
  })
  return gaps
}

/** From how long on a silence is a gap: in the older part, and in the ring. */
function gapLengths({ older, ring, olderColumn }: LineSource): { older: number; ring: number } {
  const olderStep = usualStep({
    length: older.times.length,
    timeAt: (i) => older.times[i] ?? Number.NaN,
    valueAt: () => 0,
  })
  const ringStep = usualStep(ring)
  const usual = Number.isNaN(ringStep) ? olderStep : ringStep
  const ringGap = Number.isNaN(usual) ? Number.POSITIVE_INFINITY : Math.max(GAP_LEAST_MS, GAP_STEPS * usual)
  const olderUsual = Number.isNaN(olderStep) ? 0 : GAP_STEPS * olderStep
  const olderGap = Math.max(GAP_LEAST_MS, olderUsual, GAP_STEPS * olderColumn, Number.isNaN(ringStep) ? 0 : ringGap)
  return { older: olderUsual === 0 && olderColumn === 0 ? ringGap : olderGap, ring: ringGap }
}

/** The rate of a counter over one run; a fall is a reset and breaks the line. */
function rates(joined: Source, run: Run, factor: number): (Run & { line: Source })[] {
  const pieces: (Run & { line: Source })[] = []
  let times: number[] = []
  let values: number[] = []
  const close = () => {
    if (times.length > 0) pieces.push({ line: sourceOf({ times, values }), low: 0, high: times.length })
    times = []
    values = []
  }
  for (let i = run.low + 1; i < run.high; i += 1) {
    const ms = joined.timeAt(i) - joined.timeAt(i - 1)
    const rise = joined.valueAt(i) - joined.valueAt(i - 1)
    if (rise < 0) close()
    else if (ms > 0) {
      times.push(joined.timeAt(i))
      values.push((rise / ms) * 1000 * factor)
    }
  }
  close()
  return pieces
}

export function sourceOf(line: Line): Source {
  return {
    length: line.times.length,
    timeAt: (i) => line.times[i] ?? Number.NaN,
    valueAt: (i) => line.values[i] ?? Number.NaN,
  }
}

function lowerBound(source: Source, time: number): number {
  let low = 0
  let high = source.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (source.timeAt(middle) < time) low = middle + 1
    else high = middle
  }
  return low
}
