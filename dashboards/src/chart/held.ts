// What the widgets of a device share: the newest value of a series, the sliding window, history beside the rings, and what of
// all that moves a widget.
import type { Signal } from '@preact/signals'
import type { Value } from '@telltale/client'
import { useEffect, useMemo, useRef } from 'preact/hooks'
import type { LastValue } from '../api'
import { second } from '../clock'
import { isCutOff, shownNow, type Watch } from '../live'
import { printing } from '../print'
import { spanMs, type TimeRange, windowOf } from '../range'
import { lessMotion } from '../theme'
import { coverOf, hasBegun, latestOf } from './cover'
import { hoverTime } from './hover'
import type { Member, Metric } from './members'
import { Older } from './older'
import type { Ask } from './question'

export interface Held {
  watch: Watch
  /** Last known values as the hub told them when the page opened. */
  last: ReadonlyMap<string, LastValue>
}

export interface WidgetProps extends Held {
  metric: Metric
  /** What history is asked for. */
  ask: Ask
  range: TimeRange
  olders: Set<Older>
}

/** The newest value known: of the ring, or what the hub said when the page opened. */
export function latest(member: Member, { watch, last }: Held): { time: number; value: Value } | undefined {
  return latestOf(watch.sub, member.key, last.get(member.key))
}

/** When the value became what it is now. */
export function changedAt(member: Member, { watch, last }: Held): number | undefined {
  const series = watch.sub.series.get(member.key)
  const seen = series?.lastChanged
  const known = last.get(member.key)
  if (seen === undefined) return latest(member, { watch, last }) === undefined ? undefined : known?.changed
  if (seen.known || known === undefined) return seen.time
  return known.value === series?.last?.[1] ? Math.min(known.changed, seen.time) : seen.time
}

/**
 * From when on the rings hold all of these series. Undefined while the first snapshot is on its way; where no connection comes
 * about they hold nothing, and history has all.
 */
export function liveCover({ sub }: Watch, keys: Iterable<string>): number | undefined {
  if (hasBegun(sub)) return coverOf(sub, keys)
  return isCutOff() ? Number.POSITIVE_INFINITY : undefined
}

/** Bools, texts and enumerations are shown as timelines, all else as lines. */
export function isState(metric: Metric, held: Held): boolean {
  if (metric.kind === 'state' || metric.kind === 'text') return true
  const first = metric.members[0]
  const value = first === undefined ? undefined : latest(first, held)?.value
  return typeof value === 'string' || typeof value === 'boolean'
}

/** How often a chart moves for whoever wants little motion. */
const CALM_STEP_MS = 5_000

/** The window of a sliding chart moves by whole pixels: less work, and the line does not shimmer. */
export function steppedWindow(range: TimeRange, width: number): { from: number; to: number } {
  const now = shownNow()
  if (range.kind !== 'last') return windowOf(range, now)
  const pixel = Math.max(lessMotion.peek() ? CALM_STEP_MS : 50, spanMs(range, now) / Math.max(1, width))
  return windowOf(range, Math.ceil(now / pixel) * pixel)
}

const SOONEST_MS = 30
const LATEST_MS = 1_000

/**
 * How long a drawing of this window stays good: new readings move a line by less than a third of a pixel. A chart of a day
 * is not drawn ten times a second.
 */
export function drawingLastsMs(range: TimeRange, width: number): number {
  return Math.min(LATEST_MS, Math.max(SOONEST_MS, spanMs(range, shownNow()) / Math.max(1, width) / 3))
}

/** History of what is asked, told of late readings as long as the widget is there. */
export function useOlder(ask: Ask, olders: Set<Older>): Older {
  const before = useRef<Older | undefined>(undefined)
  const older = useMemo(() => new Older(ask, before.current), [JSON.stringify(ask)])
  before.current = older
  useEffect(() => () => older.stop(), [older])
  useEffect(() => {
    olders.add(older)
    return () => olders.delete(older)
  }, [older, olders])
  return older
}

/**
 * Called while a widget is rendered: it then moves with live values, with time, and with the crosshair, whose time this gives. One that
 * is not in view does not, unless it is printed: of three hundred cards a dozen are rendered anew at each message.
 */
export function follow(near: Signal<boolean>, watch: Watch): number | undefined {
  if (!near.value && !printing.value) return undefined
  watch.version.value
  second.value
  return hoverTime.value
}
