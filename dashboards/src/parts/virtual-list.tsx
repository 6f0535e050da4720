// A list of any length that holds only the rows in view, and a few around them. It scrolls with the page. All rows have one
// height, which the style sheet says as `--row`; several may stand side by side.
import { type Signal, useSignal } from '@preact/signals'
import type { ComponentChildren } from 'preact'
import { useEffect, useRef } from 'preact/hooks'
import { onFrame, requestFrame } from '../frame'

/** Rows kept above and below what is in view. */
const AROUND = 8

export interface View {
  first: number
  /** One after the last. */
  end: number
}

/** How many of such a width stand side by side. */
export function perLine(width: number, least: number | undefined, gap: number): number {
  return least === undefined ? 1 : Math.max(1, Math.floor((width + gap) / (least + gap)))
}

/** Which rows a window of `height` shows of a list that begins `top` below its upper edge. */
export function viewOf(top: number, height: number, row: number, count: number, columns = 1): View {
  if (columns > 1) {
    const lines = viewOf(top, height, row, Math.ceil(count / columns))
    return { first: lines.first * columns, end: Math.min(count, lines.end * columns) }
  }
  if (row <= 0) return { first: 0, end: Math.min(count, AROUND) }
  const first = Math.max(0, Math.min(count, Math.floor(-top / row)) - AROUND)
  const end = Math.min(count, Math.max(first, Math.ceil((height - top) / row) + AROUND))
  return { first, end }
}

interface VirtualListProps {
  count: number
  class: string
  view: Signal<View>
  /** Several stand side by side, each at least so many pixels wide. */
  leastWidth?: number | undefined
  children: ComponentChildren
}

/** Between two that stand side by side. */
const GAP_PX = 12

/** The children are the rows of `view`, which moves as the page scrolls. */
export function VirtualList({ count, class: name, view, leastWidth, children }: VirtualListProps) {
  const list = useRef<HTMLUListElement>(null)
  const row = useSignal(0)
  const columns = useSignal(1)
  useEffect(() => {
    const measure = () => {
      const element = list.current
      if (element === null) return
      row.value = rowHeight(element) || row.peek()
      columns.value = perLine(element.clientWidth, leastWidth, GAP_PX)
      const next = viewOf(element.getBoundingClientRect().top, innerHeight, row.value, count, columns.value)
      const { first, end } = view.peek()
      if (next.first !== first || next.end !== end) view.value = next
    }
    const off = onFrame(measure)
    const again = () => requestFrame()
    addEventListener('scroll', again, { passive: true })
    addEventListener('resize', again, { passive: true })
    return () => {
      off()
      removeEventListener('scroll', again)
      removeEventListener('resize', again)
    }
  }, [count, leastWidth])
  const { first, end } = view.value
  const lines = (rows: number) => Math.ceil(Math.max(0, rows) / columns.value) * row.value
  return (
    <ul
      class={name}
      ref={list}
      style={{
        paddingTop: `${lines(first)}px`,
        paddingBottom: `${lines(count - end)}px`,
        ...(leastWidth === undefined ? {} : { gridTemplateColumns: `repeat(${columns.value}, minmax(0, 1fr))` }),
      }}
    >
      {children}
      {end - first < count && (
        <li class="print-only">
          Rows {first + 1} to {end} of {count}
        </li>
      )}
    </ul>
  )
}

function rowHeight(element: HTMLElement): number {
  return element.firstElementChild?.getBoundingClientRect().height ?? 0
}
