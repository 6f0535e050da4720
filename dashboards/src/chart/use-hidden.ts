// The lines of a chart that were switched off, by the keys of their series. A chart that is made anew is told of them again.
import { useSignal } from '@preact/signals'
import type { PlotHandle } from './plot'

/** The lines of the chart in their order, and what stands behind each. */
interface Drawn {
  keys: readonly string[]
  dashed: boolean
  bands: boolean
}

interface Hidden {
  keys: ReadonlySet<string>
  toggle(key: string): void
  /** To the chart that is there now. */
  apply(): void
}

export function useHidden(plot: { current: PlotHandle | undefined }, drawn: Drawn): Hidden {
  const hidden = useSignal<ReadonlySet<string>>(new Set())
  const show = (key: string, isShown: boolean) => {
    for (const column of columnsOf(drawn, key)) plot.current?.show(column, isShown)
  }
  return {
    keys: hidden.value,
    toggle: (key) => {
      const next = new Set(hidden.value)
      if (!next.delete(key)) next.add(key)
      hidden.value = next
      show(key, !next.has(key))
    },
    apply: () => {
      for (const key of hidden.peek()) show(key, false)
    },
  }
}

/** Where a line, its dashed one and the two edges of its band stand among what is drawn; nowhere when it is gone since. Pure. */
export function columnsOf({ keys, dashed, bands }: Drawn, key: string): number[] {
  const line = keys.indexOf(key)
  if (line < 0) return []
  const count = keys.length
  const edges = count * (1 + Number(dashed)) + 2 * line
  return [line, ...(dashed ? [count + line] : []), ...(bands ? [edges, edges + 1] : [])]
}
