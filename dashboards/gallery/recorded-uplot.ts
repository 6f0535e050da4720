// uPlot as it is, but each chart can be reached from its element, so that a test reads the data it was given and what its axes say.
import type Plot from 'uplot'
import uPlot from 'uplot/dist/uPlot.esm.js'

declare global {
  interface HTMLElement {
    drawnBy?: Plot
  }
}

export default class Recorded extends uPlot {
  constructor(...given: ConstructorParameters<typeof uPlot>) {
    super(...given)
    this.root.drawnBy = this
  }
}
