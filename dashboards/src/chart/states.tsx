// The states and texts of a device in one card: value, since when, and timelines over the same time, one below the other.
import type { Signal } from '@preact/signals'
import { type Series, seriesKey, type Value } from '@telltale/client'
import { useEffect, useRef } from 'preact/hooks'
import type { LastValue } from '../api'
import { hubNow } from '../clock'
import { onTurn, requestFrame } from '../frame'
import { shownNow } from '../live'
import { spanMs } from '../range'
import { ago, closeMoment, moment, valueText, WITH_PARTS_MS } from '../words'
import { changedAt, follow, type Held, latest, liveCover, steppedWindow, useOlder, type WidgetProps } from './held'
import type { Member, Metric } from './members'
import { useNear } from './near'
import type { Older } from './older'
import type { Ask } from './question'
import { type Span, spansOf, valueAt } from './spans'
import { staleSince } from './stale'
import { Strip, type StripHandle } from './strip'
import { StripAxis } from './strip-axis'

interface Zooms {
  onZoom?: (from: number, to: number) => void
  onUndo?: () => void
}

type StatesProps = Omit<WidgetProps, 'metric' | 'ask'> &
  Zooms & {
    metrics: readonly Metric[]
    askOf(metric: Metric): Ask
  }

export function StatesCard({ metrics, askOf, ...props }: StatesProps) {
  return (
    <section class="card states" aria-label="States">
      <h2 class="visually-hidden">States</h2>
      {metrics.flatMap((metric) =>
        metric.members.map((member) => (
          <StateRow key={member.key} {...props} ask={askOf(metric)} metric={metric} member={member} />
        )),
      )}
      <div class="state-axis">
        <StripAxis range={props.range} />
      </div>
    </section>
  )
}

type RowProps = WidgetProps & Zooms & { member: Member }

function StateRow(props: RowProps) {
  const { metric, member, watch, last } = props
  const strip = useRef<StripHandle | undefined>(undefined)
  const row = useRef<HTMLDivElement>(null)
  const drawn = useRef<Drawn>({ spans: [], name: () => '' })
  const near = useNear(row)
  useStrip(props, strip, near, drawn)
  const hover = follow(near, watch)
  const held: Held = { watch, last }
  const current = latest(member, held)
  const since = changedAt(member, held)
  const now = hubNow()
  // A state comes when it changes: only the device can tell that it would have come.
  const device = watch.sub.devices.get(member.description.device)
  const stale = current && staleSince(device?.seen ?? current.time, undefined, device?.state, now)
  const title = `${metric.metric} ${member.label}`.trim()
  return (
    <div class="state-row" ref={row}>
      <h3 title={title}>
        {metric.metric} <span class="state-label">{member.label}</span>
      </h3>
      {hover !== undefined ? (
        <p class="state-value">
          <b>{textAt(drawn.current, hover)}</b>{' '}
          <small>at {closeMoment(hover, now, spanMs(props.range, now) < WITH_PARTS_MS)}</small>
        </p>
      ) : (
        <p class="state-value" title={current === undefined ? '' : valueText(current.value, metric.unit)}>
          <b>{current === undefined ? '–' : valueText(current.value, metric.unit)}</b>{' '}
          {since !== undefined && (
            <small>
              since {moment(since, now)}, {ago(since, now)}
            </small>
          )}
          {stale !== undefined && (
            <span class="tag badge" title="Its device is not online: the value may be another by now">
              stale since {moment(stale, now)}
            </span>
          )}
        </p>
      )}
      <Strip
        title={title}
        {...(props.onZoom === undefined ? {} : { onZoom: props.onZoom })}
        {...(props.onUndo === undefined ? {} : { onUndo: props.onUndo })}
        onHandle={(handle) => {
          strip.current = handle
          requestFrame()
        }}
      />
    </div>
  )
}

/** What the timeline shows, to be read off it. */
interface Drawn {
  spans: readonly Span[]
  name(value: number): string
}

function textAt({ spans, name }: Drawn, time: number): string {
  const value = valueAt(spans, time)
  return value === undefined ? '–' : name(value)
}

/** Draws the timeline in the animation frame when data, window or width changed. */
function useStrip(
  props: RowProps,
  strip: { current: StripHandle | undefined },
  near: Signal<boolean>,
  drawn: { current: Drawn },
): void {
  const older = useOlder(props.ask, props.olders)
  const now = useRef(props)
  now.current = props
  useEffect(requestFrame)
  useEffect(() => {
    let state = ''
    let drawnLast: StatesProps['last'] | undefined
    return onTurn(() => {
      const handle = strip.current
      if (handle === undefined || !near.peek()) {
        older.leave()
        return
      }
      const { range, watch, last, member, metric } = now.current
      const { from, to } = steppedWindow(range, handle.width())
      const cover = liveCover(watch, [member.key])
      if (cover === undefined) return
      older.want(from, to, cover, Math.round(handle.width()), shownNow())
      const next = [watch.sub.id, watch.sub.version, from, to, older.answered, handle.width(), handle.colours()].join()
      if (next === state && last === drawnLast) return
      state = next
      drawnLast = last
      const points = pointsOf(older, watch.sub.series.get(member.key), cover, last.get(member.key))
      const device_ = watch.sub.devices.get(member.description.device)
      // A state holds until it changes, but of a device that went offline nobody knows.
      const heldUntil = device_?.state === 'offline' ? (device_.seen ?? to) : shownNow()
      const name = (place: number) => valueText(points.values[place] ?? '', metric.unit)
      const spans = spansOf(points, from, to, heldUntil)
      drawn.current = { spans, name }
      handle.draw(spans, from, to, name)
    })
  }, [older])
}

/** What was the state before the ring, and since when: as live trimmed it, or as the hub told. */
function lastBefore(series: Series | undefined, known: LastValue | undefined) {
  const trimmed = series?.trimmed
  if (trimmed === undefined || (known !== undefined && known.time >= trimmed.point[0])) return known
  return { changed: trimmed.changed.time, value: trimmed.point[1] }
}

/** The points of a state as places in a list of its values: older history, the last known value before the ring, the ring. */
function pointsOf(older: Older, series: Series | undefined, cover: number, known: LastValue | undefined) {
  const times: number[] = []
  const values: Value[] = []
  const put = (time: number, value: Value) => {
    times.push(time)
    values.push(value)
  }
  const key = series?.key ?? (known === undefined ? '' : seriesKey(known))
  const found = older.answer?.series.get(key)
  found?.times.forEach((time, i) => {
    const value = found.values[i]
    if (time < cover && value !== undefined) put(time, value)
  })
  const before = lastBefore(series, known)
  if (before !== undefined && before.changed < cover && before.changed > (times.at(-1) ?? Number.NEGATIVE_INFINITY))
    put(before.changed, before.value)
  const ring = series?.ring
  for (let i = 0; i < (ring?.length ?? 0); i += 1) {
    if (ring !== undefined && series !== undefined) put(ring.timeAt(i), series.decode(ring.valueAt(i)))
  }
  // In order of their names, so that a value keeps its colour when the window moves.
  const names = [...new Set(values)].sort((a, b) => (String(a) < String(b) ? -1 : 1))
  const places = new Map(names.map((name, i) => [name, i]))
  return {
    length: times.length,
    timeAt: (i: number) => times[i] ?? Number.NaN,
    valueAt: (i: number) => places.get(values[i] ?? '') ?? 0,
    values: names,
  }
}
