// What is told of a line: its newest value, or with every figure the one under the crosshair.
import { decimalsOf } from '@telltale/client'
import { shownNow } from '../live'
import { windowOf } from '../range'
import { exactText, valueText } from '../words'
import { latest, type WidgetProps } from './held'
import type { DrawnLine } from './lines'
import type { ChartLine } from './members'
import { drawnAsRate, shownUnit } from './shown'
import { gapAt, lastUpTo, valueBefore } from './table'

export interface Readout {
  text: string
  /** It stands in a gap. */
  silent?: boolean
}

/** What is worked out has no more figures than these that mean anything. */
const WORKED_OUT = 8
const WORKS_OUT = new Set(['mean', 'stddev', 'p50', 'p90', 'p99', 'rate'])

export function readoutOf(
  props: WidgetProps,
  line: ChartLine,
  drawn: DrawnLine | undefined,
  hover: number | undefined,
): Readout {
  const { ask, range, watch } = props
  const unit = shownUnit(line.of, ask)
  const isRate = drawnAsRate(line.of, ask)
  if (hover !== undefined && drawn !== undefined) {
    if (gapAt(drawn.gaps ?? [], hover) !== undefined) return { text: 'no data', silent: true }
    const value = valueBefore(drawn, hover)
    if (value === null) return { text: '–' }
    const isWorkedOut = isRate || WORKS_OUT.has(ask.buckets?.agg ?? '')
    return { text: exactText(isWorkedOut ? Number(value.toPrecision(WORKED_OUT)) : value, unit) }
  }
  const isDrawn = isRate || ask.buckets !== undefined || range.kind !== 'last'
  const value =
    isDrawn && drawn !== undefined
      ? lastUpTo(drawn, windowOf(range, shownNow()).to)
      : (latest(line.member, props)?.value ?? null)
  if (typeof value !== 'number') return { text: '–' }
  const sent = Math.max(decimalsOf(value), watch.sub.series.get(line.member.key)?.decimals ?? 0)
  return { text: valueText(value, unit, isRate ? Number(value !== 0) : sent) }
}
