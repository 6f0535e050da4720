// One metric of one device as lines: its value, the chart, and a legend with the values under the crosshair.
import { useSignal } from '@preact/signals'
import { decimalsOf, perSecond } from '@telltale/client'
import { useEffect, useRef } from 'preact/hooks'
import { onTurn, requestFrame } from '../frame'
import { shownNow } from '../live'
import { clockTime, valueText } from '../words'
import { drawingLastsMs, latest, steppedWindow, useOlder, type WidgetProps, whenVisible } from './held'
import { hoverTime } from './hover'
import { type DrawnLine, drawLine, tableOf, valueBefore } from './lines'
import type { Member } from './members'
import { Plot, type PlotHandle } from './plot'

/** More lines than this in one chart cannot be told apart; how many are not drawn is said in the legend. */
const LINES_MOST = 32
const LEAST_COLUMNS = 50

interface LineCardProps extends WidgetProps {
  onZoom(from: number, to: number): void
}

export function LineCard(props: LineCardProps) {
  const { device, metric, watch, last, range, onZoom } = props
  const members = metric.members.slice(0, LINES_MOST)
  const counter = metric.kind === 'counter'
  const unit = counter ? perSecond(metric.unit) : metric.unit
  const hidden = useSignal<ReadonlySet<string>>(new Set())
  const plot = useRef<PlotHandle | undefined>(undefined)
  const card = useRef<HTMLElement>(null)
  const { lines, error } = useLines(props, members, plot, card)

  const toggle = (member: Member, i: number) => {
    const next = new Set(hidden.value)
    if (!next.delete(member.key)) next.add(member.key)
    hidden.value = next
    plot.current?.show(i, !next.has(member.key))
  }
  watch.version.value
  const hover = hoverTime.value
  const shown = (member: Member, i: number): string => {
    const line = lines[i]
    const drawn = hover !== undefined || counter || range.kind === 'fixed'
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
        <p class="figure">
          {hover !== undefined && <small>{clockTime(hover)}</small>}
          {alone !== undefined && <Figure text={shown(alone, 0)} />}
        </p>
      </header>
      <Plot
        title={metric.metric}
        unit={unit}
        lines={members.length}
        syncKey={device}
        onHandle={(handle) => {
          plot.current = handle
          requestFrame()
        }}
        onHover={(time) => {
          hoverTime.value = time
        }}
        onZoom={onZoom}
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
          {metric.members.length > LINES_MOST && (
            <li class="legend-more">{metric.members.length - LINES_MOST} more series are not drawn</li>
          )}
        </ul>
      )}
    </article>
  )
}

/** Draws in the animation frame when data, window or width changed; gives what was drawn, for the legend. */
function useLines(
  props: LineCardProps,
  members: readonly Member[],
  plot: { current: PlotHandle | undefined },
  card: { current: HTMLElement | null },
): { lines: readonly DrawnLine[]; error: string } {
  const drawn = useSignal<readonly DrawnLine[]>([])
  const error = useSignal('')
  const older = useOlder(props.device, props.metric.metric, props.olders)
  const now = useRef({ props, members })
  now.current = { props, members }
  useEffect(() => {
    const visible = whenVisible(card.current)
    let state = ''
    let shape = ''
    let drawnOn: PlotHandle | undefined
    let drawnAt = 0
    const stop = onTurn(() => {
      const handle = plot.current
      if (handle === undefined || !visible.now()) return
      const { members } = now.current
      const { range, watch, metric } = now.current.props
      const width = handle.width()
      const columns = Math.max(LEAST_COLUMNS, Math.round(width))
      const { from, to } = steppedWindow(range, width)
      older.want(from, to, watch.sub.coverFrom, columns, shownNow())
      error.value = older.error
      const next = [watch.sub.version, from, to, older.answer?.askedAt, members.length, width].join()
      const asked = [range.kind === 'fixed' ? from : '', from - to, older.answer?.askedAt, members.length, width].join()
      const soon = asked === shape && drawnOn === handle && performance.now() - drawnAt < drawingLastsMs(range, width)
      if (soon || (next === state && drawnOn === handle)) return
      state = next
      shape = asked
      drawnAt = performance.now()
      drawnOn = handle
      const lines = members.map((member) => {
        const ring = watch.sub.series.get(member.key)?.ring ?? EMPTY
        return drawLine(
          {
            older: older.line(member.key),
            ring,
            cover: Math.max(watch.sub.coverFrom, ring.droppedUpTo),
            counter: metric.kind === 'counter',
            olderColumn: older.answer?.column ?? 0,
          },
          from,
          to,
          columns,
        )
      })
      handle.draw(tableOf(lines), from, to)
      drawn.value = lines
    })
    return () => {
      visible.stop()
      stop()
    }
  }, [older])
  return { lines: drawn.value, error: error.value }
}

const EMPTY = { length: 0, timeAt: () => Number.NaN, valueAt: () => Number.NaN, droppedUpTo: Number.NEGATIVE_INFINITY }

/** Number large, unit small. */
function Figure({ text }: { text: string }) {
  const [figures, ...unit] = text.split(' ')
  return (
    <>
      <b>{figures}</b> <span>{unit.join(' ')}</span>
    </>
  )
}

function lastOf(line: DrawnLine): number | null {
  return line.values.at(-1) ?? null
}
