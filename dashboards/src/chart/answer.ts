// What history told of the series of a chart, ready to be drawn: pure.
import { type Line, type SeriesDescription, seriesKey, type Value } from '@telltale/client'
import type { HistorySeries } from '../api'
import { type Earlier, shiftedPoints } from './earlier'

export interface Answer {
  from: number
  to: number
  /** Width of a column in ms. */
  column: number
  askedAt: number
  series: Map<string, AnswerSeries>
}

interface AnswerSeries {
  description: SeriesDescription
  times: number[]
  values: Value[]
  /** The same as numbers; what is neither number nor bool is 0. */
  line: Line
  /** The lowest and the highest of each point, where they were asked for. */
  edges: { low: Line; high: Line } | undefined
}

/** By the keys of the series; those of an earlier day at the times at which they are shown. */
export function answerSeries(found: readonly HistorySeries[], earlier: Earlier | undefined): Answer['series'] {
  return new Map(found.map((one) => [seriesKey(one), shownSeries(one, earlier)]))
}

function shownSeries(one: HistorySeries, earlier: Earlier | undefined): AnswerSeries {
  const points = earlier === undefined ? one.points : shiftedPoints(one.points, earlier)
  const times = points.map(([time]) => time)
  const values = points.map(([, value]) => value)
  const numbers = values.map((value) => (typeof value === 'number' ? value : Number(value === true)))
  const edge = (place: 0 | 1): Line => ({ times, values: one.edges.map((pair) => pair[place]) })
  return {
    description: one,
    times,
    values,
    line: { times, values: numbers },
    edges: one.edges.length === times.length ? { low: edge(0), high: edge(1) } : undefined,
  }
}
