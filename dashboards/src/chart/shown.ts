// How the values of a metric are shown: as they are, or as a rate, and in which unit. Pure.
import { perSecond } from '@telltale/client'
import type { Metric } from './members'
import type { Ask } from './question'

/** A rising counter is drawn as its rate, unless it is summed up otherwise. */
export function drawnAsRate(metric: Pick<Metric, 'kind'>, ask: Ask): boolean {
  return metric.kind === 'counter' && ask.buckets === undefined
}

/** Of what is drawn: a rate is per second, a count has no unit. */
export function shownUnit(metric: Pick<Metric, 'kind' | 'unit'>, ask: Ask): string {
  const agg = ask.buckets?.agg
  if (agg === 'count') return ''
  if (agg === 'rate' || (agg === undefined && metric.kind === 'counter')) return perSecond(metric.unit)
  return metric.unit
}
