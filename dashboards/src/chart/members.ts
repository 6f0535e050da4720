// Which series make one chart, and what their lines are called. Pure.
import { type SeriesDescription, seriesKey } from '@telltale/client'

export interface Member {
  key: string
  description: SeriesDescription
  /** What tells this line from the others of its chart; empty when it is alone. */
  label: string
}

/** More lines than this in one chart cannot be told apart; how many are not drawn is said in the legend. */
const LINES_MOST = 32

/** Those of a chart that are drawn, and therefore asked for. */
export function drawn(members: readonly Member[]): readonly Member[] {
  return members.slice(0, LINES_MOST)
}

export interface Metric {
  metric: string
  unit: string
  kind: SeriesDescription['kind']
  members: Member[]
}

/** Series of one device as metrics, both in order; digits in labels count as numbers, so cpu10 comes after cpu9. */
export function metricsOf(descriptions: Iterable<SeriesDescription>): Metric[] {
  const byMetric = new Map<string, SeriesDescription[]>()
  for (const description of descriptions) {
    const list = byMetric.get(description.metric)
    if (list === undefined) byMetric.set(description.metric, [description])
    else list.push(description)
  }
  return [...byMetric.entries()].sort(([a], [b]) => order.compare(a, b)).map(([metric, list]) => metricOf(metric, list))
}

function metricOf(metric: string, list: SeriesDescription[]): Metric {
  const varying = varyingLabels(list)
  const members = list.map((description) => ({
    key: seriesKey(description),
    description,
    label: varying.map((name) => description.labels[name] ?? `no ${name}`).join(' · '),
  }))
  members.sort((a, b) => order.compare(a.label, b.label))
  const first = list[0]
  return { metric, unit: first?.unit ?? '', kind: first?.kind ?? 'gauge', members }
}

const order = new Intl.Collator('en', { numeric: true })

/** Names of the labels that are not the same on all series. */
function varyingLabels(list: readonly SeriesDescription[]): string[] {
  const names = new Set(list.flatMap((d) => Object.keys(d.labels)))
  return [...names].filter((name) => new Set(list.map((d) => d.labels[name])).size > 1).sort()
}
