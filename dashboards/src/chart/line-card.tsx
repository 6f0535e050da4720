// One metric of one device as lines, or two units on two axes: its value, the chart, and a legend with the values under the
// crosshair.
import { useSignal } from '@preact/signals'
import { useRef } from 'preact/hooks'
import { hubNow, second } from '../clock'
import { requestFrame } from '../frame'
import { shownNow } from '../live'
import { spanMs, type TimeRange, windowOf } from '../range'
import { closeMoment, moment, WITH_PARTS_MS } from '../words'
import type { Change } from './gestures'
import { latest, type WidgetProps } from './held'
import { hoverTime } from './hover'
import { Legend } from './legend'
import { type ChartLine, linesOf, type Metric } from './members'
import type { Ask } from './older'
import { Plot, type PlotHandle } from './plot'
import { type Readout, readoutOf } from './readout'
import { drawnAsRate, shownUnit } from './shown'
import { staleSince } from './stale'
import { commonGaps, gapAt } from './table'
import { useLines } from './use-lines'

interface LineCardProps extends WidgetProps {
  /** Crosshairs of equal keys move together. */
  syncKey: string
  /** The same series at an earlier time, drawn dashed behind. */
  before?: { ask: Ask; name: string }
  onZoom(from: number, to: number): void
  onMove(change: Change): void
  onUndo?(): void
}

export function LineCard(props: LineCardProps) {
  const { metric, watch, ask, before, onZoom, onMove, onUndo } = props
  const chartLines = linesOf(metric)
  const hidden = useSignal<ReadonlySet<string>>(new Set())
  const plot = useRef<PlotHandle | undefined>(undefined)
  const card = useRef<HTMLElement>(null)
  const { lines, earlier, error } = useLines({ ...props, chartLines }, plot, card)
  const show = (key: string, shown: boolean) => {
    const i = chartLines.findIndex(({ member }) => member.key === key)
    // It may be gone since it was hidden.
    if (i < 0) return
    plot.current?.show(i, shown)
    if (before !== undefined) plot.current?.show(chartLines.length + i, shown)
    const edges = chartLines.length * (before === undefined ? 1 : 2) + 2 * i
    if (ask.band === true) for (const edge of [edges, edges + 1]) plot.current?.show(edge, shown)
  }
  const toggle = (key: string) => {
    const next = new Set(hidden.value)
    if (!next.delete(key)) next.add(key)
    hidden.value = next
    show(key, !next.has(key))
  }
  watch.version.value
  second.value
  const hover = hoverTime.value
  const beforeText = (line: ChartLine, i: number) => {
    if (before === undefined) return undefined
    return hover === undefined || earlier[i] === undefined ? '' : readoutOf(props, line, earlier[i], hover).text
  }
  const rows = chartLines.map((line, i) => ({
    ...line,
    ...readoutOf(props, line, lines[i], hover),
    before: beforeText(line, i),
  }))
  const alone = rows.length === 1 ? rows[0] : undefined
  const right = metric.right && { unit: shownUnit(metric.right, ask), from: rows.findIndex(({ of }) => of !== metric) }

  return (
    <article class="card" ref={card}>
      <header class="card-head">
        <h3 title={titleOf(metric)}>{titleOf(metric)}</h3>
        <Tags {...props} />
        <StaleTag {...props} chartLines={chartLines} />
        <p
          class="figure"
          aria-live={hover !== undefined && card.current?.contains(document.activeElement) ? 'polite' : 'off'}
        >
          {hover !== undefined && <small>{hoverText(hover, commonGaps(lines), props.range)}</small>}
          {alone !== undefined && alone.silent !== true && <Figure readout={alone} />}
          {before !== undefined && alone !== undefined && hover !== undefined && (
            <span>
              {before.name} {alone.before}
            </span>
          )}
        </p>
      </header>
      <Plot
        title={titleOf(metric)}
        unit={shownUnit(metric, ask)}
        right={right}
        lines={rows.length}
        dashed={before !== undefined}
        bands={ask.band === true}
        syncKey={props.syncKey}
        onHandle={(handle) => {
          plot.current = handle
          for (const key of hidden.peek()) show(key, false)
          requestFrame()
        }}
        onHover={(time) => {
          hoverTime.value = time
        }}
        onZoom={onZoom}
        onMove={onMove}
        {...(onUndo === undefined ? {} : { onUndo })}
      />
      {error !== '' && <p class="card-error">{error}</p>}
      {alone === undefined && <Legend metric={metric} rows={rows} hidden={hidden.value} onToggle={toggle} />}
    </article>
  )
}

function Tags({ metric, ask, before }: LineCardProps) {
  return (
    <>
      {drawnAsRate(metric, ask) && <span class="tag">per second</span>}
      {ask.buckets !== undefined && (
        <span class="tag">
          {ask.buckets.agg} of {ask.buckets.every}
        </span>
      )}
      {ask.band === true && <span class="tag">band: lowest to highest</span>}
      {before !== undefined && <span class="tag">dashed: {before.name}</span>}
    </>
  )
}

/** Told where now is in the picture and every line has been silent for longer than it should. */
function StaleTag(props: LineCardProps & { chartLines: readonly ChartLine[] }) {
  const { watch, range, chartLines } = props
  // Of the time since the connection broke nothing is known.
  const now = shownNow()
  if (windowOf(range, now).to < now) return null
  const since = chartLines.map(({ member }) => {
    const series = watch.sub.series.get(member.key)
    const state = watch.sub.devices.get(member.description.device)?.state
    return staleSince(latest(member, props)?.time, series?.ring, state, now)
  })
  if (since.length === 0 || since.includes(undefined)) return null
  const last = Math.max(...since.filter((time) => time !== undefined))
  return (
    <span class="tag badge" title="No reading for much longer than usual">
      stale since {moment(last, now)}
    </span>
  )
}

/** The time under the crosshair, or the silence it stands in. */
function hoverText(time: number, silences: ReturnType<typeof commonGaps>, range: TimeRange): string {
  const gap = gapAt(silences, time)
  const now = hubNow()
  if (gap === undefined) return closeMoment(time, now, spanMs(range, now) < WITH_PARTS_MS)
  if (gap.open === true) return `no data since ${moment(gap.from, now)}`
  return `no data from ${moment(gap.from, now)} to ${moment(gap.to, now)}`
}

/** Number large, unit small. */
function Figure({ readout }: { readout: Readout }) {
  const [figures, ...unit] = readout.text.split(' ')
  return (
    <>
      <b>{figures}</b> <span>{unit.join(' ')}</span>
    </>
  )
}

function titleOf(metric: Metric): string {
  return metric.right === undefined ? metric.metric : `${metric.metric} and ${metric.right.metric}`
}
