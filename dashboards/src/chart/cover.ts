// From when on the live rings hold all, and from when on they need not. Pure.
import { durationMs, type Subscription, type Value } from '@telltale/client'
import type { TimeRange } from '../range'
import type { Older } from './older'

type Held = Pick<Subscription, 'coverFrom' | 'series'>

/** Whether there has been a snapshot, or a refusal: before the first, `coverFrom` says nothing. */
export function hasBegun({ coverFrom }: Pick<Subscription, 'coverFrom'>): boolean {
  return coverFrom !== Number.NEGATIVE_INFINITY
}

/** From here on the rings of all these series are complete: full ones have dropped their oldest points. */
export function coverOf(sub: Held, keys: Iterable<string>): number {
  let cover = sub.coverFrom
  for (const key of keys) cover = Math.max(cover, sub.series.get(key)?.ring.droppedUpTo ?? cover)
  return cover
}

/**
 * The newest value of a series: of live, or what the hub said when it was asked last. Of the time that live covers only live
 * counts: what it does not hold was deleted.
 */
export function latestOf(
  sub: Held & Pick<Subscription, 'cursor'>,
  key: string,
  known: { time: number; value: Value } | undefined,
): { time: number; value: Value } | undefined {
  const point = sub.series.get(key)?.last
  const told = point === undefined ? undefined : { time: point[0], value: point[1] }
  // Without a cursor there has been no snapshot.
  if (known === undefined || (sub.cursor !== undefined && known.time >= sub.coverFrom)) return told
  return told === undefined || known.time > told.time ? known : told
}

const KEPT_LEAST_MS = 16 * 60_000
const KEPT_MOST_MS = 3_600_000

/** How old live points become before they are left to history: what a sliding chart shows, within bounds. */
export function keptMs(range: TimeRange): number {
  if (range.kind !== 'last') return KEPT_MOST_MS
  return Math.min(KEPT_MOST_MS, Math.max(KEPT_LEAST_MS, durationMs(range.span)))
}

/**
 * Before what the rings may be trimmed: not before `old`, and not what a chart still draws of them, since its history does
 * not reach further. One whose history ends before the rings does not draw them at all, and one that rests draws no history.
 */
export function trimmedTo(
  old: number,
  cover: number,
  olders: Iterable<Pick<Older, 'answer' | 'meetsLive' | 'rests'>>,
): number {
  let to = old
  for (const { answer, meetsLive, rests } of olders) {
    if (!meetsLive || rests || answer === undefined) continue
    const reached = Math.min(answer.to, answer.askedAt)
    if (reached >= cover) to = Math.min(to, reached)
  }
  return to
}
