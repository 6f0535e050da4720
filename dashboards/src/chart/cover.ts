// From when on the live rings hold all, and from when on they need not. Pure.
import type { Subscription, Value } from '@telltale/client'
import type { Older } from './older'

type Held = Pick<Subscription, 'coverFrom' | 'series'>

/** From here on the rings of all these series are complete: full ones have dropped their oldest points. */
export function coverOf(sub: Held, keys: Iterable<string>): number {
  let cover = sub.coverFrom
  for (const key of keys) cover = Math.max(cover, sub.series.get(key)?.ring.droppedUpTo ?? cover)
  return cover
}

/**
 * The newest value of a series: of the ring, or what the hub said when the page opened. Of the time that live covers only the
 * ring counts: what is not in it was deleted.
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

/**
 * Before what the rings may be trimmed: not before `old`, and not what a chart still draws of them, since its history does
 * not reach further. One whose history ends before the rings does not draw them at all.
 */
export function trimmedTo(old: number, cover: number, olders: Iterable<Pick<Older, 'answer' | 'meetsLive'>>): number {
  let to = old
  for (const { answer, meetsLive } of olders) {
    if (!meetsLive || answer === undefined) continue
    const reached = Math.min(answer.to, answer.askedAt)
    if (reached >= cover) to = Math.min(to, reached)
  }
  return to
}
