// One metric of one device as lines: its value, the chart, and a legend with the values under the crosshair.
import { useSignal } from '@preact/signals'
import { decimalsOf, perSecond } from '@telltale/client'
import { useRef } from 'preact/hooks'
import { requestFrame } from '../frame'
import { clockTime, valueText } from '../words'
import type { Change } from './gestures'
import { latest, type WidgetProps } from './held'
import { hoverTime } from './hover'
import { type DrawnLine, valueBefore } from './lines'
import { drawn, type Member, type Metric } from './members'
import type { Ask } from './older'
import { Plot, type PlotHandle } from './plot'
import { useLines } from './use-lines'

interface LineCardProps extends WidgetProps {
  /** Crosshairs of equal keys move together. */
  syncKey: string
  /** The same series at an earlier time, drawn dashed behind. */
  before?: { ask: Ask; name: string }
  onZoom(from: number, to: number): void
  onMove(change: Change): void
}

export function LineCard(props: LineCardProps) {
  const { metric, watch, last, range, ask, before, onZoom, onMove } = props
  const members = drawn(metric.members)
  const counter = metric.kind === 'counter' && ask.buckets === undefined
  const unit = shownUnit(metric, ask)
  const hidden = useSignal<ReadonlySet<string>>(new Set())
  const plot = useRef<PlotHandle | undefined>(undefined)
  const card = useRef<HTMLElement>(null)
  const { lines, error } = useLines({ ...props, members, counter }, plot, card)

  const toggle = (member: Member, i: number) => {
    const next = new Set(hidden.value)
    if (!next.delete(member.key)) next.add(member.key)
    hidden.value = next
    plot.current?.show(i, !next.has(member.key))
    if (before !== undefined) plot.current?.show(members.length + i, !next.has(member.key))
  }
  watch.version.value
  const hover = hoverTime.value
  const shown = (member: Member, i: number): string => {
    const line = lines[i]
    const drawn = hover !== undefined || counter || ask.buckets !== undefined || range.kind !== 'last'
    const newest = latest(member, { watch, last })?.value ?? null
    const value = drawn && line !== undefined ? (hover === undefined ? lastOf(line) : valueBefore(line, hover)) : newest
    if (typeof value !== 'number') return '–'
    const sent = Math.max(decimalsOf(value), watch.sub.series.get(member.key)?.decimals ?? 0)
    return valueText(value, unit, counter ? Number(value !== 0) : sent)
  }
  const alone = members.length === 1 ? members[0] : undefined
  const counted = counter && <span class="tag">per second</span>

  return (
    <article class="card" ref={card}>
      <header class="card-head">
        <h3 title={metric.metric}>{metric.metric}</h3>
        {counted}
        {ask.buckets !== undefined && (
          <span class="tag">
            {ask.buckets.agg} of {ask.buckets.every}
          </span>
        )}
        {before !== undefined && <span class="tag">dashed: {before.name}</span>}
        <p class="figure">
          {hover !== undefined && <small>{clockTime(hover)}</small>}
          {alone !== undefined && <Figure text={shown(alone, 0)} />}
        </p>
      </header>
      <Plot
        title={metric.metric}
        unit={unit}
        lines={members.length}
        dashed={before !== undefined}
        syncKey={props.syncKey}
        onHandle={(handle) => {
          plot.current = handle
          requestFrame()
        }}
        onHover={(time) => {
          hoverTime.value = time
        }}
        onZoom={onZoom}
        onMove={onMove}
      />
      {error !== '' && <p class="card-error">{error}</p>}
      {alone === undefined && (
        <ul class="legend">
          {members.map((member, i) => (
            <li key={member.key}>
              <button type="button" aria-pressed={!hidden.value.has(member.key)} onClick={() => toggle(member, i)}>
                <i class={`swatch line-${(i % 8) + 1}`} />
                <span class="legend-label" title={member.label}>
                  {member.label}
                </span>
                <span class="legend-value">{shown(member, i)}</span>
              </button>
            </li>
          ))}
          {metric.members.length > members.length && (
            <li class="legend-more">{metric.members.length - members.length} more series are not drawn</li>
          )}
        </ul>
      )}
    </article>
  )
}

/** Number large, unit small. */
function Figure({ text }: { text: string }) {
  const [figures, ...unit] = text.split(' ')
  return (
    <>
      <b>{figures}</b> <span>{unit.join(' ')}</span>
    </>
  )
}

/** Of what is drawn: a rate is per second, a count has no unit. */
export function shownUnit(metric: Metric, ask: Ask): string {
  const agg = ask.buckets?.agg
  if (agg === 'count') return ''
  if (agg === 'rate' || (agg === undefined && metric.kind === 'counter')) return perSecond(metric.unit)
  return metric.unit
}

function lastOf(line: DrawnLine): number | null {
  return line.values.at(-1) ?? null
}
