// Which of the series found are drawn together: those of one unit share a chart, counters apart from gauges. Pure.
import { type SeriesDescription, selectorOf, seriesKey } from '@telltale/client'
import type { Member, Metric } from '../../chart/members'
import { inGroups } from '../../selects'

export interface Groups {
  lines: Metric[]
  /** Bools, texts and enumerations, which are timelines. */
  states: Metric[]
}

export function groupsOf(descriptions: Iterable<SeriesDescription>, isState: (metric: Metric) => boolean): Groups {
  const all = [...descriptions]
  const label = labeller(all, true)
  const byUnit = new Map<string, Metric>()
  const states: Metric[] = []
  const ofSeveralDevices = new Set(all.map(({ device }) => device)).size > 1
  for (const description of all) {
    const member: Member = { key: seriesKey(description), description, label: label(description) }
    const alone: Metric = { metric: member.label, unit: description.unit, kind: description.kind, members: [member] }
    if (isState(alone)) {
      states.push({ ...alone, members: [{ ...member, label: '' }] })
      continue
    }
    const key = `${description.unit} ${description.kind === 'counter'}`
    const group = byUnit.get(key)
    if (group === undefined) byUnit.set(key, alone)
    else group.members.push(member)
  }
  const inOrder = [...byUnit.values()].sort((a, b) => order.compare(metricsText(a), metricsText(b)))
  states.sort((a, b) => order.compare(a.metric, b.metric))
  return { lines: inOrder.map((group) => named(group, ofSeveralDevices)), states }
}

/** Two units in one chart, one on either side: the first two, the next two. One that is left has a chart of its own. */
export function paired(lines: readonly Metric[]): Metric[] {
  const pairs: Metric[] = []
  for (let i = 0; i < lines.length; i += 2) {
    const [left, right] = [lines[i], lines[i + 1]]
    if (left !== undefined) pairs.push(right === undefined ? left : { ...left, right })
  }
  return pairs
}

/** Selectors of exactly these series, so that what has no mean is not asked for one. */
export function selectsOf(members: readonly Member[]): readonly string[] {
  return [...new Set(members.map((member) => selectorOf(member.description)))]
}

/** The same in as many questions as the hub takes. */
export function selectGroups(members: readonly Member[]): readonly string[][] {
  return inGroups(selectsOf(members))
}

const order = new Intl.Collator('en', { numeric: true })

/**
 * The name of a chart is its metrics, and its device where it has one and others have theirs. Its lines are called by what tells them from
 * each other.
 */
function named(group: Metric, ofSeveralDevices: boolean): Metric {
  const descriptions = group.members.map(({ description }) => description)
  const [device, ...others] = new Set(descriptions.map((one) => one.device))
  const label = labeller(descriptions, false)
  const members = group.members.map((member) => ({ ...member, label: label(member.description) }))
  return {
    ...group,
    metric: ofSeveralDevices && others.length === 0 ? `${device}/${metricsText(group)}` : metricsText(group),
    members: members.sort((a, b) => order.compare(a.label, b.label)),
  }
}

/** A few of its metrics. */
function metricsText({ members }: Metric): string {
  const metrics = [...new Set(members.map(({ description }) => description.metric))].sort(order.compare)
  const more = metrics.length > 3 ? ` and ${metrics.length - 3} more` : ''
  return metrics.slice(0, 3).join(', ') + more
}

/** A name that says no more than is needed to tell a series from the others, or its metric too. */
function labeller(all: readonly SeriesDescription[], withMetric: boolean): (description: SeriesDescription) => string {
  const devices = new Set(all.map((one) => one.device))
  const metrics = new Set(all.map((one) => one.metric))
  const names = [...new Set(all.flatMap((one) => Object.keys(one.labels)))]
  const telling = names.filter((name) => new Set(all.map((one) => one.labels[name])).size > 1).sort()
  return ({ device, metric, labels }) => {
    const head = [devices.size > 1 ? device : '', withMetric || metrics.size > 1 ? metric : '']
      .filter(Boolean)
      .join('/')
    const tail = telling.map((name) => labels[name])
    return [head, ...tail].filter(Boolean).join(' · ') || metric
  }
}
