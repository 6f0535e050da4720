// The picture of a chart: its lines, those of an earlier time behind them and the edges of bands, drawn when data, window or width
// changed, and no oftener than can be seen.
import { shownNow } from '../live'
import { drawingLastsMs, liveCover, steppedWindow } from './held'
import type { Older } from './older'
import type { PlotHandle } from './plot'
import { edgesOf, lineOf, type Window } from './sources'
import { tableOf } from './table'
import type { Drawn, LinesProps } from './use-lines'

const LEAST_COLUMNS = 50

export class Picture {
  readonly #older: Older
  readonly #earlier: Older
  readonly #last = new LastDrawing()

  constructor(older: Older, earlier: Older) {
    this.#older = older
    this.#earlier = earlier
  }

  get error(): string {
    return this.#older.error === '' ? this.#earlier.error : this.#older.error
  }

  /** There is nothing to draw on. */
  rest(): void {
    this.#older.rest()
    this.#earlier.rest()
  }

  /** Nobody sees it. */
  leave(): void {
    this.#older.leave()
    this.#earlier.leave()
  }

  /** Asks for what is missing, and draws what changed; gives what it drew. */
  draw(plot: PlotHandle, props: LinesProps): Drawn | undefined {
    const { range, watch, chartLines, before } = props
    const width = plot.width()
    const columns = Math.max(LEAST_COLUMNS, Math.round(width))
    const { from, to } = steppedWindow(range, width)
    const keys = chartLines.map(({ member }) => member.key)
    const cover = liveCover(watch, keys)
    if (cover === undefined) return undefined
    this.#older.want(from, to, cover, columns, shownNow())
    if (before !== undefined) this.#earlier.want(from, to, cover, columns, shownNow())
    const answers = [this.#older.answered, this.#earlier.answered, chartLines.length, width].join()
    const state = [watch.sub.id, watch.sub.version, from, to, answers].join()
    // What a sliding window shows is the same but for what moves along with time.
    const shape = [range.kind === 'last' ? '' : from, from - to, answers].join()
    if (this.#last.isGood(plot, state, shape, drawingLastsMs(range, width))) return undefined
    const { drawn, table } = this.#tableOf(props, { from, to, columns })
    if (!plot.draw(table, from, to, this.#older.knows(from, to, cover))) return undefined
    this.#last.put(plot, state, shape)
    return drawn
  }

  #tableOf(props: LinesProps, window: Window) {
    const { chartLines, before, ask } = props
    const lines = chartLines.map((line) => lineOf(props, line, this.#older, window))
    const earlier = before === undefined ? [] : chartLines.map((line) => lineOf(props, line, this.#earlier, window))
    const edges = ask.band ? chartLines.flatMap(({ member }) => edgesOf(this.#older, member.key, window)) : []
    return { drawn: { lines, earlier }, table: tableOf([...lines, ...earlier, ...edges], lines.length) }
  }
}

/** What was drawn last, and on what. */
class LastDrawing {
  #plot: PlotHandle | undefined
  #state = ''
  #shape = ''
  #at = 0

  /** Whether it stands: nothing changed, or nothing but what came with time, so soon that nobody would see it. */
  isGood(plot: PlotHandle, state: string, shape: string, lastsMs: number): boolean {
    if (plot !== this.#plot) return false
    return state === this.#state || (shape === this.#shape && performance.now() - this.#at < lastsMs)
  }

  put(plot: PlotHandle, state: string, shape: string): void {
    this.#plot = plot
    this.#state = state
    this.#shape = shape
    this.#at = performance.now()
  }
}
