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
  const label = labeller(all)
  const byUnit = new Map<string, Metric>()
  const states: Metric[] = []
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
  const lines = [...byUnit.values()].map((group) => named(group))
  for (const group of lines) group.members.sort((a, b) => order.compare(a.label, b.label))
  states.sort((a, b) => order.compare(a.metric, b.metric))
  return { lines: lines.sort((a, b) => order.compare(a.metric, b.metric)), states }
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

/** The name of a chart: its metrics, a few of them. */
function named(group: Metric): Metric {
  const metrics = [...new Set(group.members.map((member) => member.description.metric))].sort(order.compare)
  const more = metrics.length > 3 ? ` and ${metrics.length - 3} more` : ''
  return { ...group, metric: metrics.slice(0, 3).join(', ') + more }
}

/** A name that says no more than is needed to tell a series from the others. */
function labeller(all: readonly SeriesDescription[]): (description: SeriesDescription) => string {
  const devices = new Set(all.map((one) => one.device))
  const metrics = new Set(all.map((one) => one.metric))
  const names = [...new Set(all.flatMap((one) => Object.keys(one.labels)))]
  const telling = names.filter((name) => new Set(all.map((one) => one.labels[name])).size > 1).sort()
  return ({ device, metric, labels }) => {
    const head = [devices.size > 1 ? device : '', metrics.size > 1 || devices.size === 1 ? metric : ''].filter(Boolean)
    const tail = telling.map((name) => labels[name]).filter((value) => value !== undefined)
    return [head.join('/') || metric, ...tail].join(' · ')
  }
}
