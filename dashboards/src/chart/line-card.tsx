// One metric of one device as lines, or two units on two axes: its value, the chart, and a legend with the values under the
// crosshair.
import { useRef } from 'preact/hooks'
import { requestFrame } from '../frame'
import { CardHead } from './card-head'
import type { Change } from './gestures'
import { follow, type WidgetProps } from './held'
import type { Hidden } from './hidden'
import { hoverTime } from './hover'
import { Legend } from './legend'
import { type ChartLine, linesOf, type Metric, titleOf } from './members'
import { useNear } from './near'
import { Plot, type PlotHandle } from './plot'
import type { Ask } from './question'
import { readoutOf } from './readout'
import { shownUnit } from './shown'
import { useHidden } from './use-hidden'
import { useLines } from './use-lines'

export interface LineCardProps extends WidgetProps {
  /** Crosshairs of equal keys move together. */
  syncKey: string
  /** The same series at an earlier time, drawn dashed behind. */
  before?: { ask: Ask; name: string }
  /** The lines that are switched off, of all charts of the page. */
  hidden: Hidden
  /** Switches a line over, by the key of its series. */
  onToggle(key: string): void
  onZoom(from: number, to: number): void
  onMove(change: Change): void
  onUndo?(): void
}

export function LineCard(props: LineCardProps) {
  const { metric, ask, before } = props
  const chartLines = linesOf(metric)
  const plot = useRef<PlotHandle | undefined>(undefined)
  const card = useRef<HTMLElement>(null)
  const near = useNear(card)
  const { lines, earlier, error } = useLines({ ...props, chartLines }, plot, near)
  const built = { keys: chartLines.map(keyOf), dashed: before !== undefined, bands: ask.band === true }
  const hidden = useHidden(plot, built, props.hidden)
  const hover = follow(near, props.watch)
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
  return (
    <article class="card" ref={card}>
      <CardHead {...props} {...{ chartLines, lines, alone, hover }} isRead={hasFocus(card.current)} />
      <Plot
        {...plotOf(props, chartLines)}
        onHandle={(handle) => {
          plot.current = handle
          hidden.begin()
          requestFrame()
        }}
        onHover={(time) => {
          hoverTime.value = time
        }}
      />
      {error !== '' && <p class="card-error">{error}</p>}
      {alone === undefined && <Legend metric={metric} rows={rows} hidden={hidden.keys} onToggle={props.onToggle} />}
    </article>
  )
}

/** What the chart is told of the card's metric. */
function plotOf(props: LineCardProps, chartLines: readonly ChartLine[]) {
  const { metric, ask, before, syncKey, onZoom, onMove, onUndo } = props
  return {
    title: titleOf(metric),
    unit: shownUnit(metric, ask),
    right: metric.right && { unit: shownUnit(metric.right, ask), from: firstOfRight(metric, chartLines) },
    lines: chartLines.length,
    dashed: before !== undefined,
    bands: ask.band === true,
    syncKey,
    onZoom,
    onMove,
    ...(onUndo === undefined ? {} : { onUndo }),
  }
}

function firstOfRight(metric: Metric, chartLines: readonly ChartLine[]): number {
  return chartLines.findIndex(({ of }) => of !== metric)
}

function keyOf({ member }: ChartLine): string {
  return member.key
}

/** Whether keys that move the crosshair are pressed here. */
function hasFocus(card: HTMLElement | null): boolean {
  return card?.contains(document.activeElement) === true
}
