// Silences of several series as one list: what was silent together is one row. Pure.
import type { Line } from '@telltale/client'
import { drawLine, type Gap, sourceOf } from './lines'

export interface Silence extends Gap {
  /** Names of the series that were silent, in order. */
  of: readonly string[]
}

/** Ends that lie no further apart than this many columns are one. */
const SAME_COLUMNS = 2
/** And no further than this part of the silence. */
const SAME_PART = 0.05

/** The silences of one series, by the rule that breaks its line: readings in columns of so many ms, known up to `known`. */
export function gapsOf(line: Line, column: number, from: number, to: number, known: number): readonly Gap[] {
  const none = sourceOf({ times: [], values: [] })
  const source = {
    older: line,
    ring: none,
    cover: Number.POSITIVE_INFINITY,
    counter: false,
    olderColumn: column,
    known,
  }
  return drawLine(source, from, to, Math.max(1, Math.round((to - from) / column))).gaps ?? []
}

/** Newest first. */
export function silences(found: ReadonlyMap<string, readonly Gap[]>, column: number): Silence[] {
  const rows: { gap: Gap; of: string[] }[] = []
  for (const [name, gaps] of found) {
    for (const gap of gaps) {
      const row = rows.find((one) => isSame(one.gap, gap, column))
      if (row === undefined) rows.push({ gap, of: [name] })
      else row.of.push(name)
    }
  }
  return rows.map(({ gap, of }) => ({ ...gap, of })).sort((a, b) => b.to - a.to || b.from - a.from)
}

function isSame(a: Gap, b: Gap, column: number): boolean {
  const apart = Math.max(SAME_COLUMNS * column, SAME_PART * (a.to - a.from))
  return a.open === b.open && Math.abs(a.from - b.from) <= apart && Math.abs(a.to - b.to) <= apart
}
