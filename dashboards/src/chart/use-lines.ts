// Draws the lines of a chart in the animation frame when data, window or width changed, and tells what was drawn.
import { type Signal, useSignal } from '@preact/signals'
import { useEffect, useRef } from 'preact/hooks'
import { onTurn, requestFrame } from '../frame'
import { useOlder, type WidgetProps } from './held'
import type { DrawnLine } from './lines'
import type { ChartLine } from './members'
import { Picture } from './picture'
import type { PlotHandle } from './plot'
import type { Ask } from './question'

const NOTHING: Ask = { select: [] }

export interface LinesProps extends WidgetProps {
  chartLines: readonly ChartLine[]
  /** The same series at an earlier time, drawn after their own lines. */
  before?: { ask: Ask }
}

export interface Drawn {
  lines: readonly DrawnLine[]
  /** Those of the earlier time, in the same order. */
  earlier: readonly DrawnLine[]
}

export function useLines(
  props: LinesProps,
  plot: { current: PlotHandle | undefined },
  near: Signal<boolean>,
): Drawn & { error: string } {
  const drawn = useSignal<Drawn>({ lines: [], earlier: [] })
  const error = useSignal('')
  const older = useOlder(props.ask, props.olders)
  const earlier = useOlder(props.before?.ask ?? NOTHING, props.olders)
  const now = useRef(props)
  now.current = props
  // Another range or other lines are drawn at once, also where no reading comes to ask for a frame.
  useEffect(requestFrame)
  useEffect(() => {
    const picture = new Picture(older, earlier)
    return onTurn(() => {
      const handle = plot.current
      if (!near.peek()) picture.leave()
      else if (handle === undefined) picture.rest()
      else {
        const fresh = picture.draw(handle, now.current)
        error.value = picture.error
        if (fresh !== undefined) drawn.value = fresh
      }
    })
  }, [older, earlier])
  return { ...drawn.value, error: error.value }
}
