// Hundreds of charts, and pages that come and go: what is in view is asked for, drawn and followed, and what is left leaves nothing.
import type { Page, Request } from '@playwright/test'
import { expect, held, logIn, test } from './fixtures'
import { devtoolsOf, heldBytes, hide, round, show } from './panels'
import config from './playwright.config'

const MIB = 1024 * 1024
const launch = config.use?.launchOptions
// Chromium takes 200 changes of an address in ten seconds and drops the others; no person makes more.
test.use({ launchOptions: { ...launch, args: [...(launch?.args ?? []), '--disable-ipc-flooding-protection'] } })

/** Ids that were subscribed on any socket of the page and not let go of. */
function subscribed(page: Page): Set<string> {
  const open = new Set<string>()
  page.on('websocket', (socket) =>
    socket.on('framesent', ({ payload }) => {
      const { type, id } = JSON.parse(String(payload)) as { type: string; id: string }
      if (type === 'subscribe') open.add(id)
      if (type === 'unsubscribe') open.delete(id)
    }),
  )
  return open
}

/** From the list to a page of charts and back, so many times; one in ten is there for a frame. */
async function comeAndGo(page: Page, times: number): Promise<void> {
  await page.evaluate(async (times) => {
    const go = (hash: string) =>
      new Promise<void>((there) => {
        addEventListener('hashchange', () => there(), { once: true })
        location.hash = hash
      })
    for (let i = 0; i < times; i += 1) {
      await go(i % 2 === 0 ? '#/device/plant' : '#/explore?select=plant%2F*')
      if (i % 10 === 0) await new Promise(requestAnimationFrame)
      await go('#/')
    }
  }, times)
}

test('a thousand pages come and go, most before they were seen: of their subscriptions and listeners none is left', async ({
  page,
  hub,
  sender,
}) => {
  test.setTimeout(400_000)
  await sender.send(...round(Date.now(), 4))
  const open = subscribed(page)
  await logIn(page, hub)
  const devtools = await devtoolsOf(page)
  const look = async () => {
    await expect(page.getByRole('link', { name: /plant/ })).toContainText('W')
    const bytes = await heldBytes(devtools)
    const { metrics } = await devtools.send('Performance.getMetrics')
    const listeners = metrics.find(({ name }) => name === 'JSEventListeners')?.value ?? Number.NaN
    return { bytes, listeners }
  }
  await comeAndGo(page, 100)
  const before = await look()
  await comeAndGo(page, 1_000)
  await expect.poll(() => open.size, { message: 'the list alone is subscribed' }).toBe(1)
  const subscriptions = await page.evaluate(
    () => (window as unknown as { __telltale: { subscriptions(): unknown[] } }).__telltale.subscriptions().length,
  )
  expect(subscriptions).toBe(1)
  const after = await look()
  const said = `${((after.bytes - before.bytes) / MIB).toFixed(2)} MiB and ${after.listeners - before.listeners} listeners more`
  test.info().annotations.push({ type: 'a thousand pages', description: said })
  expect(after.bytes - before.bytes, said).toBeLessThan(2 * MIB)
  expect(after.listeners - before.listeners, said).toBeLessThan(20)
})

test('scrolling past 200 charts: those that are past give up their questions, and the last is there at once', async ({
  page,
  hub,
  sender,
}) => {
  await sender.send(...round(Date.now() - 500, 200, 'telegraf'))
  await logIn(page, hub)
  const asked = new Set<Request>()
  const isHistory = (request: Request) => request.url().includes('/history?')
  page.on('request', (request) => isHistory(request) && asked.add(request))
  page.on('requestfinished', (request) => asked.delete(request))
  page.on('requestfailed', (request) => asked.delete(request))
  let answer: (() => void) | undefined
  const answered = new Promise<void>((done) => {
    answer = done
  })
  await page.route('**/api/v1/history?**', async (route) => {
    await answered
    await route.continue().catch(() => undefined)
  })
  await page.goto(`${hub.url}/#/device/telegraf?range=6h`)
  await expect(page.locator('.card')).toHaveCount(200)
  await expect.poll(() => asked.size).toBeGreaterThan(3)
  await page.evaluate(async () => {
    for (let y = 0; y < document.documentElement.scrollHeight; y += innerHeight / 2) {
      scrollTo(0, y)
      for (let frame = 0; frame < 3; frame += 1) await new Promise(requestAnimationFrame)
    }
  })
  await expect.poll(() => asked.size, { message: 'questions under way' }).toBeLessThan(30)
  answer?.()
  await expect(page.locator('.plot').last()).not.toHaveAttribute('data-empty')
  await expect.poll(() => asked.size).toBe(0)
  expect(await page.locator('.plot canvas').count(), 'those that are far are let go of').toBeLessThan(60)

  // Back at the top charts are made anew, and drawn from what is held.
  const ms = await page.evaluate(async () => {
    const began = performance.now()
    scrollTo(0, 0)
    const first = () => document.querySelector('.plot')
    while (first()?.querySelector('canvas') == null || first()?.hasAttribute('data-empty') !== false)
      await new Promise(requestAnimationFrame)
    return performance.now() - began
  })
  test.info().annotations.push({ type: 'scrolled to the other end, drawn', description: `${ms.toFixed(0)} ms` })
  expect(ms).toBeLessThan(5_000)
})

test('a card that is not in view does not follow; one that comes into view shows what is newest', async ({
  page,
  hub,
  sender,
}) => {
  const send = (value: number) =>
    sender.send(
      ...Array.from({ length: 60 }, (_, i) => ({ device: 'rack', metric: `m.${100 + i}`, value, time: Date.now() })),
      ...Array.from({ length: 60 }, (_, i) => ({
        device: 'rack',
        metric: `s.${100 + i}`,
        value: `mode ${value}`,
        time: Date.now(),
      })),
    )
  await send(1)
  await logIn(page, hub)
  // Asked once: what comes half a minute later is told to all cards.
  let isFirst = true
  await page.route('**/api/v1/last?**', async (route) => {
    if (isFirst) await route.continue()
    isFirst = false
  })
  await page.goto(`${hub.url}/#/device/rack`)
  const cards = page.locator('.card:has(.figure)')
  const rows = page.locator('.state-row:has(.strip)')
  await expect(cards).toHaveCount(60)
  await expect(rows.first()).toContainText('mode 1')
  const far = [cards.last().locator('.figure'), rows.last().locator('.state-value')]
  await page.evaluate(() => {
    const seen = { changes: 0 }
    Object.assign(window, { seen })
    const strip = [...document.querySelectorAll('.state-row .strip')].at(-1)
    const observer = new MutationObserver((list) => {
      seen.changes += list.length
    })
    for (const one of [document.querySelector('.cards')?.lastElementChild, strip?.closest('.state-row')]) {
      if (one == null) throw new Error('there is no such card')
      observer.observe(one, { subtree: true, childList: true, characterData: true })
    }
  })
  for (let value = 2; value < 8; value += 1) {
    await send(value)
    await expect(rows.first()).toContainText(`mode ${value}`)
  }
  expect(await page.evaluate(() => (window as unknown as { seen: { changes: number } }).seen.changes)).toBe(0)
  for (const one of far) {
    await one.scrollIntoViewIfNeeded()
    await expect(one).toHaveText(/^(mode )?7/)
  }
})

test('a hidden tab asks nothing, however long; shown, it asks at once for what is due', async ({
  page,
  hub,
  sender,
}) => {
  test.setTimeout(120_000)
  await sender.send(...round(Date.now() - 500, 2))
  await page.clock.install()
  await logIn(page, hub)
  const asked: string[] = []
  const underWay = new Set<Request>()
  page.on('request', (request) => {
    underWay.add(request)
    asked.push(new URL(request.url()).pathname)
  })
  page.on('requestfinished', (request) => underWay.delete(request))
  page.on('requestfailed', (request) => underWay.delete(request))
  for (const [hash, due] of [
    ['#/', '/api/v1/devices'],
    ['#/device/plant', '/api/v1/last'],
    ['#/explore?select=plant%2F*', '/api/v1/history'],
    ['#/status', '/api/v1/status'],
  ] as const) {
    asked.length = 0
    await page.goto(`${hub.url}/${hash}`)
    await expect.poll(() => asked, hash).toContain(due)
    await expect
      .poll(async () => (await held(page, 'plant', 'panel.00')) !== undefined || hash === '#/status')
      .toBe(true)
    await hide(page)
    // What was asked before it was hidden is answered.
    await expect.poll(() => underWay.size).toBe(0)
    asked.length = 0
    await page.clock.fastForward(10 * 60_000)
    await page.clock.fastForward(10 * 60_000)
    // Whatever was asked before this is told before it. What is not to be stored ends only when its body is read.
    await page.evaluate(() => fetch('healthz').then((answer) => answer.text()))
    expect(asked, `${hash}, hidden for twenty minutes`).toEqual(['/healthz'])
    await show(page)
    await expect.poll(() => asked, `${hash}, shown`).toContain(due)
  }
})
