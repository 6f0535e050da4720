// `make bench-page`: what a person waits for, on this machine. PAGE_POINTS=1000000 fills less than the 25 million of the aim.
import { cpus } from 'node:os'
import type { Browser, Page } from '@playwright/test'
import { expect, logIn, test } from './fixtures'
import type { Hub } from './hub'
import { countDrawings, counted, devtoolsOf, LINES, PANELS, round } from './panels'

const POINTS = Number(process.env.PAGE_POINTS ?? 25_000_000)
const YEAR = 365 * 86_400_000
const RUNS = 10

function say(what: string, figures: readonly number[], unit: string): void {
  const sorted = [...figures].sort((a, b) => a - b)
  const at = (part: number) => sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))]?.toFixed(0)
  process.stdout.write(`${what}: median ${at(0.5)} ${unit}, least ${at(0)}, most ${at(1)} (${sorted.length} runs)\n`)
}

test.beforeAll(({ browser }) => {
  const model = cpus()[0]?.model ?? 'unknown processor'
  process.stdout.write(
    `${new Date().toISOString().slice(0, 10)}, ${cpus().length} x ${model}, Chromium ${browser.version()}\n`,
  )
})

/** A page as somebody opens it who was never here, but for the session. */
async function cold(browser: Browser, from: Page): Promise<Page> {
  const context = await browser.newContext({ storageState: await from.context().storageState() })
  const page = await context.newPage()
  await countDrawings(page)
  return page
}

test('a cold page shows a value', async ({ page, browser, hub, sender }) => {
  await sender.send(...round(Date.now(), 2))
  await logIn(page, hub)
  const [paints, values]: number[][] = [[], []]
  for (let i = 0; i < RUNS; i += 1) {
    const fresh = await cold(browser, page)
    await fresh.goto(hub.url, { waitUntil: 'commit' })
    const shown = await fresh.waitForFunction(() =>
      document.querySelector('.value b') === null ? undefined : performance.now(),
    )
    values?.push((await shown.jsonValue()) ?? Number.NaN)
    paints?.push(
      await fresh.evaluate(() => performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? Number.NaN),
    )
    await fresh.context().close()
  }
  say('cold cache: first contentful paint', paints ?? [], 'ms')
  say('cold cache: first value shown', values ?? [], 'ms')
})

test.describe('live', () => {
  test.use({ viewport: { width: 1920, height: 1500 } })

  test('20 panels of 5 lines at 10 Hz', async ({ page, hub, sender }) => {
    const began = Date.now()
    for (let s = 900; s > 0; s -= 10) {
      await sender.send(...Array.from({ length: 100 }, (_, i) => round(began - s * 1000 + i * 100)).flat())
    }
    await countDrawings(page)
    await logIn(page, hub)
    await page.goto(`${hub.url}/#/device/plant`)
    await expect(page.locator('.plot')).toHaveCount(PANELS)
    const timer = setInterval(() => void sender.send(...round(Date.now())), 100)
    const devtools = await devtoolsOf(page)
    await counted(page, devtools, 5)
    const { frames, drawings, busyS, wallS } = await counted(page, devtools, 30)
    clearInterval(timer)
    process.stdout.write(
      `${PANELS} panels of ${LINES} lines, 10 Hz: ${(frames / wallS).toFixed(1)} frames/s, ` +
        `${(drawings / wallS).toFixed(1)} drawings/s, main thread busy ${((100 * busyS) / wallS).toFixed(1)} %\n`,
    )
  })
})

/** Five lines over a year, in the order of time, stored through an import. */
async function fillYear(hub: Hub, token: string, to: number): Promise<void> {
  const steps = Math.ceil(POINTS / LINES)
  const stepMs = YEAR / steps
  const devices = Array.from({ length: LINES }, (_, line) => `year,power,"{""line"":""${line}""}",`)
  let step = 0
  const pull = (body: ReadableStreamDefaultController<Uint8Array>) => {
    let text = step === 0 ? 'device,metric,labels,time,value,unit\n' : ''
    const end = Math.min(steps, step + 2_000)
    for (; step < end; step += 1) {
      const time = Math.round(to - YEAR + step * stepMs)
      for (const [line, device] of devices.entries()) {
        const value = Math.round(1000 * (line * 2 + Math.sin(step / 5_000 + line)) + ((step * 7919 + line * 31) % 97))
        text += `${device}${time}000000,${(value / 100).toFixed(2)},W\n`
      }
    }
    body.enqueue(new TextEncoder().encode(text))
    if (step >= steps) body.close()
  }
  const began = performance.now()
  const response = await fetch(`${hub.url}/api/v1/import?format=csv`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'text/csv' },
    body: new ReadableStream({ pull }),
    duplex: 'half',
  } as RequestInit)
  if (!response.ok) throw new Error(await response.text())
  await response.text()
  process.stdout.write(`${steps * LINES} readings imported in ${((performance.now() - began) / 1000).toFixed(0)} s\n`)
}

/** From a change of the address until the picture of the new answer is drawn. */
async function zoomMs(page: Page, hash: string): Promise<number> {
  return page.evaluate(async (hash) => {
    interface Counts {
      drawnAt: number
    }
    const { counts } = window as unknown as { counts: Counts }
    const answers = () =>
      performance
        .getEntriesByType('resource')
        .filter(({ name }) => name.includes('/history?')) as PerformanceResourceTiming[]
    performance.clearResourceTimings()
    const began = performance.now()
    location.hash = hash
    for (;;) {
      await new Promise(requestAnimationFrame)
      const last = answers().at(-1)
      if (last !== undefined && last.responseEnd > began && counts.drawnAt > last.responseEnd)
        return counts.drawnAt - began
    }
  }, hash)
}

interface First {
  /** When history was asked for, when its answer was there, and when the year was drawn, since the page began. */
  asked: number
  answered: number
  drawn: number
}

/** From a cold page's being opened until the year is drawn. */
async function firstPicture(browser: Browser, from: Page, url: string, shot?: string): Promise<First> {
  const fresh = await cold(browser, from)
  await fresh.goto(url, { waitUntil: 'commit' })
  const drawn = await fresh.waitForFunction(() => {
    const { counts } = window as unknown as { counts: { drawnAt: number } }
    const [answer] = performance
      .getEntriesByType('resource')
      .filter(({ name }) => name.includes('/history?')) as PerformanceResourceTiming[]
    if (answer === undefined || counts.drawnAt <= answer.responseEnd) return undefined
    return { asked: answer.startTime, answered: answer.responseEnd, drawn: counts.drawnAt }
  })
  const first = (await drawn.jsonValue()) as First
  if (shot !== undefined) await fresh.screenshot({ path: shot })
  await fresh.context().close()
  return first
}

/** What a person waits for, and of that the hub's part and the page's before and after. */
async function sayFirst(what: string, times: number, once: () => Promise<First>): Promise<void> {
  const all: First[] = []
  while (all.length < times) all.push(await once())
  say(
    `${what}: first picture`,
    all.map(({ drawn }) => drawn),
    'ms',
  )
  say(
    '  history asked for after',
    all.map(({ asked }) => asked),
    'ms',
  )
  say(
    '  answered in',
    all.map(({ asked, answered }) => answered - asked),
    'ms',
  )
}

/** Until all that was imported is merged. */
async function merged(hub: Hub): Promise<void> {
  for (let quiet = 0; quiet < 4; await new Promise((done) => setTimeout(done, 500))) {
    const metrics = await (await fetch(`${hub.url}/metrics`)).text()
    quiet = metrics.includes('\ntelltale_tending 0\n') ? quiet + 1 : 0
  }
}

test('25 million points in a year', async ({ page, browser, hub }) => {
  const to = Date.now() - 60_000
  await fillYear(hub, await hub.token('admin', 'filler'), to)
  await logIn(page, hub)
  const year = `${hub.url}/#/device/year?range=365d`
  const first = (shot?: string) => firstPicture(browser, page, year, shot)
  await sayFirst('a year, cold page, days being merged', 3, () => first())
  await merged(hub)
  await sayFirst('a year, cold page, merged', 5, () => first('shots/year.png'))
  await sayFirst('a year, cold page, merged, asked of a hub just started', 5, async () => {
    await hub.kill('SIGTERM')
    await hub.restart()
    return first()
  })
  const zooms: Record<string, number[]> = { minute: [], hour: [], day: [], year: [] }
  await countDrawings(page)
  await page.goto(year)
  await page.reload()
  await expect(page.locator('.plot')).not.toHaveAttribute('data-empty')
  await page.waitForTimeout(1_000)
  for (let i = 0; i < RUNS; i += 1) {
    const from = Math.round(to - YEAR * (0.05 + 0.09 * i) - 12_345 * i)
    for (const [name, ms] of [
      ['minute', 60_000],
      ['hour', 3_600_000],
      ['day', 86_400_000],
      ['year', YEAR],
    ] as const) {
      const [a, b] = name === 'year' ? [to - YEAR, to - i * 1000] : [from, from + ms]
      zooms[name]?.push(await zoomMs(page, `#/device/year?from=${Math.round(a)}&to=${Math.round(b)}`))
    }
  }
  for (const [name, ms] of Object.entries(zooms)) say(`zoom to a ${name}`, ms, 'ms')
})
