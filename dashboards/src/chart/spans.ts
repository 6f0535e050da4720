// A series of states as spans of equal value, for the timeline. Pure.
import type { Source } from '@telltale/client'

export interface Span {
  from: number
  to: number
  value: number
}

/** Spans within [from, to]; the last lasts until `heldUntil`, the time up to which the value is known to hold. */
export function spansOf(source: Source, from: number, to: number, heldUntil: number): Span[] {
  const spans: Span[] = []
  const end = Math.min(to, heldUntil)
  for (let i = 0; i < source.length; i += 1) {
    const time = source.timeAt(i)
    if (time >= end) break
    const value = source.valueAt(i)
    const last = spans.at(-1)
    if (last !== undefined && last.value === value) continue
    if (last !== undefined) last.to = time
    spans.push({ from: time, to: end, value })
  }
  return spans.filter((span) => span.to > from).map((span) => ({ ...span, from: Math.max(span.from, from) }))
}

/** The value that held at a time; undefined where none is known. */
export function valueAt(spans: readonly Span[], time: number): number | undefined {
  return spans.find((span) => span.from <= time && time < span.to)?.value
}
