// What the tests of speed share: a device with many panels, what the browser counts of its work, and a hub's hour in a minute.
import type { CDPSession, Page } from '@playwright/test'
import type { Reading } from './sender'

export const PANELS = 20
export const LINES = 5

/** One reading of each line of each panel. */
export function round(time: number, panels = PANELS, device = 'plant'): Reading[] {
  const readings: Reading[] = []
  for (let panel = 0; panel < panels; panel += 1) {
    for (let line = 0; line < LINES; line += 1) {
      const value = Math.round((50 + 10 * line + 5 * Math.sin(time / 9_000 + panel + line)) * 100) / 100
      const metric = `panel.${String(panel).padStart(2, '0')}`
      readings.push({ device, metric, labels: { line: String(line) }, value, unit: 'W', time })
    }
  }
  return readings
}

/** Counts frames and drawings from the first script on; `counted` reads it. */
export async function countDrawings(page: Page): Promise<void> {
  await page.addInitScript(() => {
    const counts = { frames: 0, drawings: 0, drawnAt: 0 }
    Object.assign(window, { counts })
    const frame = () => {
      counts.frames += 1
      requestAnimationFrame(frame)
    }
    requestAnimationFrame(frame)
    // uPlot clears its canvas once for each drawing.
    const { clearRect } = CanvasRenderingContext2D.prototype
    CanvasRenderingContext2D.prototype.clearRect = function (...area) {
      counts.drawings += 1
      counts.drawnAt = performance.now()
      clearRect.apply(this, area)
    }
  })
}

export interface Counted {
  frames: number
  drawings: number
  /** Of the page's main thread: seconds of processor time, not of waiting. */
  busyS: number
  wallS: number
}

/** What happens on the page in so many seconds. */
export async function counted(page: Page, devtools: CDPSession, seconds: number): Promise<Counted> {
  const look = async () => {
    const { metrics } = await devtools.send('Performance.getMetrics')
    const of = (name: string) => metrics.find((metric) => metric.name === name)?.value ?? Number.NaN
    const counts = await page.evaluate(() => ({
      ...(window as unknown as { counts: { frames: number; drawings: number } }).counts,
      now: performance.now(),
    }))
    return { ...counts, busyS: of('TaskDuration') }
  }
  const before = await look()
  await page.waitForFunction((until) => performance.now() > until, before.now + seconds * 1000, { polling: 500 })
  const after = await look()
  return {
    frames: after.frames - before.frames,
    drawings: after.drawings - before.drawings,
    busyS: after.busyS - before.busyS,
    wallS: (after.now - before.now) / 1000,
  }
}

/** As a tab that is not looked at: it says so, and is given no frames. */
export async function hide(page: Page): Promise<void> {
  await page.evaluate(() => {
    const { requestAnimationFrame: shown } = window
    const waiting: FrameRequestCallback[] = []
    Object.assign(window, { shown, waiting })
    window.requestAnimationFrame = (run) => waiting.push(run)
    Object.defineProperty(document, 'visibilityState', { value: 'hidden', configurable: true })
    document.dispatchEvent(new Event('visibilitychange'))
  })
}

export async function show(page: Page): Promise<void> {
  await page.evaluate(() => {
    const { shown, waiting } = window as unknown as {
      shown: typeof requestAnimationFrame
      waiting: FrameRequestCallback[]
    }
    window.requestAnimationFrame = shown
    for (const run of waiting) shown(run)
    Reflect.deleteProperty(document, 'visibilityState')
    document.dispatchEvent(new Event('visibilitychange'))
  })
}

/** DevTools of a page whose figures of time are processor time, so that a busy machine does not count as a busy page. */
export async function devtoolsOf(page: Page): Promise<CDPSession> {
  const devtools = await page.context().newCDPSession(page)
  await devtools.send('Performance.enable', { timeDomain: 'threadTicks' })
  return devtools
}

/** Bytes that the page holds after a collection: objects of the script, and the columns behind its arrays. */
export async function heldBytes(devtools: CDPSession): Promise<number> {
  await devtools.send('HeapProfiler.enable')
  await devtools.send('HeapProfiler.collectGarbage')
  await devtools.send('HeapProfiler.collectGarbage')
  const usage = (await devtools.send('Runtime.getHeapUsage')) as { usedSize: number; backingStorageSize?: number }
  return usage.usedSize + (usage.backingStorageSize ?? 0)
}

/**
 * Lets time run fast: `passTime` gives the page the updates that a hub would send it, through its own socket, and moves its clock
 * with them.
 */
export async function letTimePass(page: Page): Promise<void> {
  await page.addInitScript(() => {
    interface Known {
      socket: WebSocket
      id: string
      cursor: string
      numbers: number[]
    }
    let known: Known | undefined
    let ahead = 0
    const Right = Date
    const now = () => Right.now() + ahead
    window.Date = class extends Right {
      constructor(...parts: unknown[]) {
        super(...((parts.length === 0 ? [now()] : parts) as [number]))
      }
      static override now = now
    } as DateConstructor
    // What the page learns of the hub's time passes as fast.
    const { get } = Headers.prototype
    Headers.prototype.get = function (name) {
      const told = get.call(this, name)
      return told !== null && name.toLowerCase() === 'date' ? new Right(Right.parse(told) + ahead).toUTCString() : told
    }
    window.WebSocket = class extends WebSocket {
      constructor(url: string | URL, protocols?: string | string[]) {
        super(url, protocols)
        this.addEventListener('message', ({ data }) => {
          const { type, id, cursor, series } = JSON.parse(String(data)) as {
            type: string
            id: string
            cursor?: string
            series?: { series: number }[]
          }
          if (type !== 'snapshot' || cursor === undefined || series === undefined) return
          known = { socket: this, id, cursor, numbers: series.map((one) => one.series) }
        })
      }
    }
    const pass = async (updates: number, stepMs: number, eachFrame: number) => {
      for (let i = 0; i < updates; i += 1) {
        if (known === undefined) throw new Error('no snapshot yet')
        ahead += stepMs
        const time = now()
        const { id, cursor, numbers } = known
        const points = numbers.map((number) => [number, time, Math.round(1e4 * Math.sin(time / 9_000 + number)) / 100])
        known.socket.onmessage?.(
          new MessageEvent('message', { data: JSON.stringify({ type: 'update', id, cursor, points }) }),
        )
        if (i % eachFrame === eachFrame - 1) await new Promise(requestAnimationFrame)
      }
    }
    Object.assign(window, { passTime: pass })
  })
}

/** So many updates, each `stepMs` after the one before. */
export async function passTime(page: Page, updates: number, stepMs = 100, eachFrame = 60): Promise<void> {
  await page.evaluate(
    ([updates, stepMs, eachFrame]) =>
      (window as unknown as { passTime(...of: number[]): Promise<void> }).passTime(updates, stepMs, eachFrame),
    [updates, stepMs, eachFrame] as const,
  )
}
