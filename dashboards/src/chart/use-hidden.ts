// Which lines of a chart are switched off, told to the chart: also to one that is made anew, and where the back button or a link
// switches them.
import { useLayoutEffect, useMemo, useRef } from 'preact/hooks'
import { codeOf, type Hidden } from './hidden'
import type { PlotHandle } from './plot'

/** The lines of the chart in their order, and what stands behind each. */
interface Drawn {
  keys: readonly string[]
  dashed: boolean
  bands: boolean
}

interface OfChart {
  /** Those of its lines that are off. */
  keys: ReadonlySet<string>
  /** The chart was made anew: all of its lines are shown. */
  begin(): void
}

export function useHidden(plot: { current: PlotHandle | undefined }, drawn: Drawn, hidden: Hidden): OfChart {
  const keys = useMemo(() => hiddenKeys(drawn.keys, hidden), [drawn.keys.join('\n'), hidden])
  const applied = useRef<ReadonlySet<number>>(new Set())
  const apply = () => {
    const { current } = plot
    if (current === undefined) return
    const wanted = new Set([...keys].flatMap((key) => columnsOf(drawn, key)))
    for (const column of wanted) if (!applied.current.has(column)) current.show(column, false)
    for (const column of applied.current) if (!wanted.has(column)) current.show(column, true)
    applied.current = wanted
  }
  useLayoutEffect(apply, [keys])
  return {
    keys,
    begin: () => {
      applied.current = new Set()
      apply()
    },
  }
}

/** A line that is alone has no legend to switch it on again: it is shown. */
export function hiddenKeys(keys: readonly string[], hidden: Hidden): ReadonlySet<string> {
  return new Set(keys.length < 2 || hidden.size === 0 ? [] : keys.filter((key) => hidden.has(codeOf(key))))
}

/** Where a line, its dashed one and the two edges of its band stand among what is drawn; nowhere when it is gone since. Pure. */
export function columnsOf({ keys, dashed, bands }: Drawn, key: string): number[] {
  const line = keys.indexOf(key)
  if (line < 0) return []
  const count = keys.length
  const edges = count * (1 + Number(dashed)) + 2 * line
  return [line, ...(dashed ? [count + line] : []), ...(bands ? [edges, edges + 1] : [])]
}
