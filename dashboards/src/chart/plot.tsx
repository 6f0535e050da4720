// uPlot in a box: made when it comes near to being seen, given ready columns and a window, asked to draw only in the animation frame.
import { effect } from '@preact/signals'
import { useEffect, useRef } from 'preact/hooks'
import uPlot from 'uplot'
import { onFrame, requestFrame } from '../frame'
import { colourVersion } from '../theme'
import { zone } from '../zone'
import { type Change, gestures } from './gestures'
import { timelineHover } from './hover'
import { whileNear } from './near'
import { type Build, columnsOf, drawGaps, HEIGHT, type Look, optionsOf } from './plot-options'
import type { Table } from './table'

export interface PlotHandle {
  /** Width of the drawing area in CSS pixels; 0 before the first layout. */
  width(): number
  /**
   * Of a window that is known an empty chart says that there is no reading. False: the chart was made for another number of lines and
   * waits to be made anew.
   */
  draw(table: Table, fromMs: number, toMs: number, isKnown: boolean): boolean
  /** Nothing where there is no such line: the chart waits to be made anew. */
  show(line: number, shown: boolean): void
}

export interface PlotProps {
  title: string
  unit: string
  /** Lines from place `from` on are measured on the right, in another unit. */
  right?: { unit: string; from: number } | undefined
  lines: number
  /** As many lines again are drawn dashed behind, in the same colours. */
  dashed?: boolean
  /** Behind each line a band between two more, which come last: its lower and its upper edge. */
  bands?: boolean
  /** Crosshairs of equal keys move together. */
  syncKey: string
  onHandle(handle: PlotHandle | undefined): void
  /** The time under the crosshair in ms. */
  onHover(time: number | undefined): void
  onZoom(fromMs: number, toMs: number): void
  /** A window that follows keys, wheel or fingers. */
  onMove(change: Change): void
  /** A double click or tap. */
  onUndo?(): void
}

const KEYS_TOLD =
  'Arrow keys move in time, plus and minus zoom, Backspace undoes it, Shift with an arrow key reads values.'

export function Plot(props: PlotProps) {
  const box = useRef<HTMLDivElement>(null)
  const latest = useRef(props)
  latest.current = props
  const isNear = useRef(false)

  useEffect(() => {
    const element = box.current
    if (element === null) return
    // A host has hundreds of metrics: charts that nobody sees are not made, and those that were are let go of.
    const stop = whileNear(element, isNear, () => {
      const { handle, destroy } = make(element, latest, isNear)
      latest.current.onHandle(handle)
      return () => {
        latest.current.onHandle(undefined)
        destroy()
      }
    })
    return () => {
      stop()
      // uPlot says nothing of a crosshair that goes with its chart.
      latest.current.onHover(undefined)
    }
  }, [props.unit, props.right?.unit, props.right?.from, props.lines, props.syncKey, props.dashed, props.bands])

  // A chart can be walked with the keys: it takes the focus, and says how.
  return (
    <div
      class="plot"
      ref={box}
      role="application"
      // biome-ignore lint/a11y/noNoninteractiveTabindex: keys move and zoom it, as an application does.
      tabIndex={0}
      aria-label={`Chart of ${props.title}. ${KEYS_TOLD}`}
    />
  )
}

function make(element: HTMLDivElement, latest: { current: PlotProps }, isNear: { current: boolean }) {
  const { unit, right, lines, syncKey, dashed = false, bands = false } = latest.current
  const build: Build = { unit, right, lines, syncKey, dashed, bands }
  const columns = columnsOf(build)
  const nothing = [[], ...Array.from({ length: columns }, () => [])] as Table['data']
  const look: Look = {
    isNear: () => isNear.current,
    table: { data: nothing, lonely: [] },
    window: [0, 1],
    drawn: false,
  }
  const options = optionsOf(build, look, Math.max(200, element.clientWidth))
  options.hooks = hooksOf(look, latest)
  const plot = new uPlot(options, nothing as uPlot.AlignedData, element)
  const stops = [
    followWidth(element, plot),
    followLook(element, plot),
    followTimelines(plot, look),
    listen(element, plot, latest),
    () => plot.destroy(),
  ]
  const handle: PlotHandle = {
    width: () => plot.bbox.width / devicePixelRatio,
    draw: (table, fromMs, toMs, isKnown) => {
      // Another number of lines is on its way: uPlot would look for columns that are not there.
      if (table.data.length !== columns + 1) return false
      look.drawn = true
      look.table = table
      look.window = [fromMs / 1000, toMs / 1000]
      if (table.data[0].length > 0) element.removeAttribute('data-empty')
      else element.setAttribute('data-empty', isKnown ? 'known' : 'asked')
      // At once, as part of this chart's turn: by itself uPlot draws after all of them, in one long frame.
      plot.batch(() => plot.setData(table.data as uPlot.AlignedData))
      return true
    },
    show: (line, shown) => {
      if (line < columns) plot.setSeries(line + 1, { show: shown })
    },
  }
  return {
    handle,
    destroy: () => {
      for (const stop of stops) stop()
    },
  }
}

function hooksOf(look: Look, latest: { current: PlotProps }): NonNullable<uPlot.Options['hooks']> {
  let hovered: number | undefined
  return {
    drawAxes: [(u) => drawGaps(u, look.table.silences ?? [])],
    setCursor: [
      (u) => {
        if (look.follows === true) return
        const left = u.cursor.left ?? -1
        const time = left < 0 ? undefined : u.posToVal(left, 'x') * 1000
        if (time === hovered) return
        hovered = time
        latest.current.onHover(time)
      },
    ],
    setSelect: [
      (u) => {
        const { left, width } = u.select
        u.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false)
        // A drag is told to every chart of the page; it is a zoom of the one it was made on.
        if (width < 4 || !isPressed(u)) return
        latest.current.onZoom(u.posToVal(left, 'x') * 1000, u.posToVal(left + width, 'x') * 1000)
      },
    ],
  }
}

const pressed = new WeakSet<HTMLElement>()

function isPressed(plot: uPlot): boolean {
  return pressed.has(plot.over)
}

function fit(element: HTMLElement, plot: uPlot): void {
  const width = element.clientWidth
  if (width > 0 && width !== plot.width) plot.setSize({ width, height: HEIGHT })
}

/** In the next frame: what changes sizes while sizes are observed is told as an error of the page. */
function followWidth(element: HTMLElement, plot: uPlot): () => void {
  let changed = false
  const resized = new ResizeObserver(() => {
    changed = true
    requestFrame()
  })
  resized.observe(element)
  const off = onFrame(() => {
    if (changed) fit(element, plot)
    changed = false
  })
  return () => {
    off()
    resized.disconnect()
  }
}

function followLook(element: HTMLElement, plot: uPlot): () => void {
  return effect(() => {
    colourVersion.value
    zone.value
    // What is printed has no frame: it is as wide as the paper now.
    fit(element, plot)
    plot.redraw(false)
  })
}

/** A pointer on a timeline is no event of uPlot's: its line is put there, and told to nobody. */
function followTimelines(plot: uPlot, look: Look): () => void {
  return effect(() => {
    const time = timelineHover.value
    const isOver = time !== undefined && look.drawn
    if (isOver || (plot.cursor.left ?? -1) >= 0) {
      look.follows = true
      crosshairAt(plot, isOver ? plot.valToPos(time / 1000, 'x') : -10, false)
      look.follows = false
    }
  })
}

function listen(element: HTMLElement, plot: uPlot, latest: { current: PlotProps }): () => void {
  const press = () => pressed.add(plot.over)
  const release = () => setTimeout(() => pressed.delete(plot.over), 0)
  const undo = () => latest.current.onUndo?.()
  const key = (event: KeyboardEvent) => {
    const step = event.shiftKey ? CROSSHAIR_KEYS[event.key] : undefined
    if (step === undefined) return
    event.preventDefault()
    moveCrosshair(plot, step)
  }
  const leave = () => crosshairAt(plot, -10)
  element.addEventListener('keydown', key)
  element.addEventListener('blur', leave)
  plot.over.addEventListener('mousedown', press)
  document.addEventListener('mouseup', release)
  plot.over.addEventListener('dblclick', undo)
  const still = gestures(element, {
    place: (clientX) => {
      const { left, width } = plot.over.getBoundingClientRect()
      return Math.min(1, Math.max(0, (clientX - left) / Math.max(1, width)))
    },
    onMove: (change) => latest.current.onMove(change),
  })
  return () => {
    still()
    element.removeEventListener('keydown', key)
    element.removeEventListener('blur', leave)
    document.removeEventListener('mouseup', release)
    plot.over.removeEventListener('mousedown', press)
    plot.over.removeEventListener('dblclick', undo)
  }
}

/** Parts of the width. */
const CROSSHAIR_KEYS: Readonly<Record<string, number>> = { ArrowLeft: -1 / 60, ArrowRight: 1 / 60 }

/** From the right edge, where what is new stands. */
function moveCrosshair(plot: uPlot, step: number): void {
  const width = plot.over.clientWidth
  const { left: shown = -1 } = plot.cursor
  const left = Math.min(width, Math.max(0, (shown < 0 ? width : shown) + step * width))
  crosshairAt(plot, left)
}

/** Told to the other charts too, as uPlot does of a mouse; its types leave that out. */
function crosshairAt(plot: uPlot, left: number, tellOthers = true): void {
  const set = plot.setCursor as (at: { left: number; top: number }, tell: boolean, tellOthers: boolean) => void
  set({ left, top: left < 0 ? left : 0 }, true, tellOthers)
}
