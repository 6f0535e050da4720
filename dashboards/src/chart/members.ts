// Which series make one chart, and what their lines are called. Pure.
import { type SeriesDescription, seriesKey, unitName } from '@telltale/client'

export interface Member {
  key: string
  description: SeriesDescription
  /** What tells this line from the others of its chart; empty when it is alone. */
  label: string
}

/** More lines than this in one chart cannot be told apart; how many are not drawn is said in the legend. */
const LINES_MOST = 32

export interface Metric {
  metric: string
  unit: string
  kind: SeriesDescription['kind']
  members: Member[]
  /** Another unit in the same chart, measured on the right. */
  right?: Metric
}

/** One line of a chart, with the unit and kind it is measured in. */
export interface ChartLine {
  member: Member
  of: Metric
}

/** Those of a chart that are drawn, and therefore asked for; those of the right axis come last. */
export function linesOf(metric: Metric): readonly ChartLine[] {
  const { right } = metric
  const most = right === undefined ? LINES_MOST : LINES_MOST / 2
  return [metric, ...(right === undefined ? [] : [right])].flatMap((of) =>
    of.members.slice(0, most).map((member) => ({ member, of })),
  )
}

export function drawn(metric: Metric): readonly Member[] {
  return linesOf(metric).map(({ member }) => member)
}

export function titleOf({ metric, right }: Metric): string {
  return right === undefined ? metric : `${metric} and ${right.metric}`
}

/** Units that have several charts, each with its own; then the others together, without a unit. */
export function byUnit(metrics: readonly Metric[]): { unit: string; metrics: Metric[] }[] {
  const units = new Map<string, Metric[]>()
  for (const one of metrics) {
    const list = units.get(unitName(one.unit))
    if (list === undefined) units.set(unitName(one.unit), [one])
    else list.push(one)
  }
  const several = [...units].filter(([unit, list]) => unit !== '' && list.length > 1)
  const named = several.map(([unit, list]) => ({ unit, metrics: list }))
  const rest = metrics.filter((one) => !several.some(([unit]) => unit === unitName(one.unit)))
  return rest.length === 0 ? named : [...named, { unit: '', metrics: rest }]
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
