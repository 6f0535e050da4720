// How the values of a metric are shown: as they are, or as a rate, and in which unit. Pure.
import { perSecond } from '@telltale/client'
import type { Metric } from './members'
import type { Ask } from './question'

/** A rising counter is drawn as its rate, unless it is summed up otherwise. */
export function drawnAsRate(metric: Pick<Metric, 'kind'>, ask: Ask): boolean {
  return metric.kind === 'counter' && ask.buckets === undefined
}

/** What a counter in this unit rises by in a second, and how much of that is one: energy by the hour rises by power. */
export function rateOf(unit: string): { unit: string; factor: number } {
  const [, prefix = '', of] = /^([kMGm]?)(W|A)h$/.exec(unit) ?? []
  if (of !== undefined) return { unit: of, factor: 3_600 * (PREFIXES[prefix] ?? 1) }
  return unit === 'J' ? { unit: 'W', factor: 1 } : { unit: perSecond(unit), factor: 1 }
}

const PREFIXES: Readonly<Record<string, number>> = { m: 1e-3, k: 1e3, M: 1e6, G: 1e9 }

/** What the hub's aggregate is multiplied by to be in `shownUnit`. */
export function shownFactor(unit: string, agg: string | undefined): number {
  return agg === 'rate' ? rateOf(unit).factor : 1
}

/** Of what is drawn: a rate is per second, a count has no unit. */
export function shownUnit(metric: Pick<Metric, 'kind' | 'unit'>, ask: Ask): string {
  const agg = ask.buckets?.agg
  if (agg === 'count') return ''
  if (agg === 'rate' || (agg === undefined && metric.kind === 'counter')) return rateOf(metric.unit).unit
  return metric.unit
}
