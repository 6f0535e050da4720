// What a page must bear: floods, many charts, a hub that is slow, refuses or is not there, a browser that keeps nothing. It neither
// freezes nor blanks, and what it shows is so.
import type { Page, Route } from '@playwright/test'
import { connection, expect, held, logIn, test } from './fixtures'
import type { Hub } from './hub'
import { countDrawings, devtoolsOf, hide, letTimePass, passTime, round, show } from './panels'
import type { Reading, Sender } from './sender'

const MINUTE = 60_000

/** One reading a second for so long, up to now. */
async function fill(
  sender: Sender,
  device: string,
  metric: string,
  seconds: number,
  stepMs = 1000,
): Promise<Reading[]> {
  const now = Date.now()
  const readings = Array.from({ length: seconds }, (_, i) => ({
    device,
    metric,
    value: Math.round(1000 * Math.sin(i / 50)) / 10,
    unit: 'V',
    time: now - (seconds - i) * stepMs,
  }))
  for (let i = 0; i < readings.length; i += 20_000) await sender.send(...readings.slice(i, i + 20_000))
  return readings
}

async function openDevice(page: Page, hub: Hub, device: string, query = ''): Promise<void> {
  await page.goto(`${hub.url}/#/device/${device}${query}`)
  await expect(page.locator('.plot:not([data-empty])').first()).toBeVisible()
}

/** Seconds of processor time that the page's main thread takes for something. */
async function busyS(page: Page, run: () => Promise<void>): Promise<number> {
  const devtools = await devtoolsOf(page)
  const look = async () => {
    const { metrics } = await devtools.send('Performance.getMetrics')
    return metrics.find(({ name }) => name === 'TaskDuration')?.value ?? Number.NaN
  }
  const before = await look()
  await run()
  const after = await look()
  await devtools.detach()
  return after - before
}

test('21,600 points in one chart: drawn whole, and the page answers', async ({ page, hub, sender }) => {
  const readings = await fill(sender, 'pump', 'pressure', 21_600)
  await logIn(page, hub)
  await openDevice(page, hub, 'pump', '?range=6h')
  const plot = page.locator('.plot')
  const box = await plot.locator('.u-over').boundingBox()
  if (box === null) throw new Error('the chart has no drawing area')
  // Under the crosshair stands what was sent.
  await page.mouse.move(box.x + box.width / 2, box.y + 60)
  await expect(page.locator('.figure small')).toBeVisible()
  const shown = Number((await page.locator('.figure b').innerText()).replace('\u2212', '-'))
  expect(readings.map(({ value }) => value)).toContain(shown)
  const busy = await busyS(page, async () => {
    for (const range of ['1h', '6h', '15m', '6h']) {
      await page.getByRole('button', { name: range, exact: true }).click()
      await expect(page.getByRole('button', { name: range, exact: true })).toHaveAttribute('aria-pressed', 'true')
    }
  })
  expect(busy, 's for four ranges').toBeLessThan(2)
})

test('a flood while the tab is hidden: bounded, and right when it is shown', async ({ page, hub, sender }) => {
  test.setTimeout(120_000)
  await sender.send(...round(Date.now()))
  await letTimePass(page)
  await countDrawings(page)
  await logIn(page, hub)
  await openDevice(page, hub, 'plant')
  const devtools = await devtoolsOf(page)
  await hide(page)
  const drawings = () => page.evaluate(() => (window as unknown as { counts: { drawings: number } }).counts.drawings)
  const before = await drawings()
  await passTime(page, 6_000, 100, Number.MAX_SAFE_INTEGER)
  expect((await drawings()) - before, 'nothing is drawn for nobody').toBeLessThan(30)
  await show(page)
  await expect(connection(page)).toHaveText('Live')
  const points = await held(page, 'plant', 'panel.00')
  expect(points?.points.length).toBe(6_001)
  await expect.poll(drawings).toBeGreaterThan(before)
  // Another reading, since the clock of the test goes on: on a busy machine the last is soon some seconds old.
  await expect(async () => {
    await passTime(page, 1)
    await expect(page.locator('.facts')).toContainText(/last reading (now|[1-3] s ago)/, { timeout: 2_000 })
  }).toPass()
  await devtools.detach()
})

test('50 charts and 300: those in view are drawn, the page answers', async ({ page, hub, sender }) => {
  test.setTimeout(120_000)
  await sender.send(...round(Date.now() - 500, 50, 'fifty'), ...round(Date.now() - 500, 300, 'telegraf'))
  await countDrawings(page)
  await logIn(page, hub)
  for (const [device, count] of [
    ['fifty', 50],
    ['telegraf', 300],
  ] as const) {
    const busy = await busyS(page, async () => {
      await openDevice(page, hub, device)
      await expect(page.locator('.card')).toHaveCount(count)
      for (let beat = 0; beat < 5; beat += 1) {
        const time = Date.now()
        await sender.send(...round(time, count, device))
        await expect.poll(async () => (await held(page, device, 'panel.00'))?.points.at(-1)?.[0]).toBe(time)
      }
    })
    test.info().annotations.push({ type: `${count} charts`, description: `${busy.toFixed(2)} s busy` })
    expect(busy, `${count} charts opened, and live for five readings of each line: s`).toBeLessThan(5)
    expect(await page.locator('.plot canvas').count(), 'what nobody sees is not made').toBeLessThan(30)
    await page.getByLabel('Filter metrics').fill('panel.07')
    await expect(page.locator('.card')).toHaveCount(1)
    await expect(page.locator('.plot:not([data-empty])')).toBeVisible()
  }
})

/** Answers for the hub until it is let go. */
async function instead(page: Page, url: string, answer: (route: Route) => Promise<void>): Promise<() => Promise<void>> {
  await page.route(url, answer)
  return () => page.unroute(url)
}

const draining = (route: Route) =>
  route.fulfill({ status: 503, json: { error: { code: 'draining', message: 'the hub is going down' } } })

test('the hub is not there when the page is opened: it says so, and opens when the hub is back', async ({
  page,
  hub,
  sender,
  complaints,
}) => {
  await sender.send({ device: 'pump', metric: 'pressure', value: 4.2, unit: 'bar' })
  // The link's code is used only when the hub can take it: it is not lost.
  let mend = await instead(page, '**/api/**', (route) => route.abort('connectionrefused'))
  await page.goto(hub.loginLink)
  await expect(page.getByRole('heading', { name: 'The hub does not answer.' })).toBeVisible()
  await mend()
  await expect(page.getByRole('link', { name: /pump/ })).toContainText('4.2 bar')
  mend = await instead(page, '**/api/**', draining)
  await page.reload()
  await expect(page.getByRole('heading', { name: 'The hub is going down.' })).toBeVisible()
  await mend()
  await expect(page.getByRole('link', { name: /pump/ })).toContainText('4.2 bar')
  expect(complaints.splice(0).every((said) => said.includes('503'))).toBe(true)
})

test('a hub that takes long to say who is there: the page is not blank', async ({ page, hub }) => {
  await logIn(page, hub)
  let answer: (() => void) | undefined
  const asked = new Promise<void>((done) => {
    answer = done
  })
  const mend = await instead(page, '**/api/v1/session', async (route) => {
    await asked
    await route.continue()
  })
  await page.reload()
  await expect(page.getByRole('heading', { name: 'Asking the hub' })).toBeVisible()
  answer?.()
  await expect(connection(page)).toHaveText('Live')
  await mend()
})

test('what a page failed to read while the hub was away comes by itself: the name of a device, the tokens', async ({
  page,
  hub,
  sender,
  complaints,
}) => {
  await sender.send({ device: 'pump', metric: 'pressure', value: 4.2, unit: 'bar' })
  await logIn(page, hub)
  await page.evaluate(async () => {
    const headers = { 'content-type': 'application/json' }
    const answer = await fetch('api/v1/devices/pump', { method: 'PATCH', headers, body: '{"name":"Harbour pump"}' })
    if (!answer.ok) throw new Error(await answer.text())
  })
  for (const [address, url, shown] of [
    ['#/device/pump', '**/api/v1/devices/pump', page.getByRole('heading', { name: 'Harbour pump' })],
    [
      '#/status',
      '**/api/v1/tokens**',
      page.getByRole('region', { name: 'Tokens' }).getByRole('row', { name: /sender/ }),
    ],
  ] as const) {
    const asked = page.waitForResponse((response) => response.status() === 503)
    const mend = await instead(page, url, draining)
    await page.goto(`${hub.url}/${address}`)
    await asked
    await mend()
    await expect(shown).toBeVisible({ timeout: 10_000 })
  }
  expect(complaints.splice(0).every((said) => said.includes('503'))).toBe(true)
})

test('history is refused for a while, then slow: the old picture stays, errors are told, and it goes on', async ({
  page,
  hub,
  sender,
  complaints,
}) => {
  await fill(sender, 'pump', 'pressure', 7_200)
  await countDrawings(page)
  await logIn(page, hub)
  await openDevice(page, hub, 'pump', '?range=1h')
  let mend = await instead(page, '**/api/v1/history**', draining)
  await page.getByRole('button', { name: '6h', exact: true }).click()
  await expect(page.locator('.card-error')).toHaveText('The hub is going down.')
  await expect(page.locator('.plot'), 'the old picture stays').not.toHaveAttribute('data-empty')
  await mend()
  await expect(page.locator('.card-error')).toHaveCount(0)
  expect(complaints.splice(0).every((said) => said.includes('503'))).toBe(true)

  // An answer that breaks off is none: the chart does not say that there is nothing.
  mend = await instead(page, '**/api/v1/history**', (route) =>
    route.fulfill({ status: 200, contentType: 'application/json', body: '{"series":[{"device":"pump"' }),
  )
  await page.getByRole('button', { name: '24h', exact: true }).click()
  await expect(page.locator('.card-error')).toHaveText('The answer of the hub broke off. It is asked again.')
  await expect(page.locator('.plot'), 'the old picture stays').not.toHaveAttribute('data-empty')
  await mend()
  await expect(page.locator('.card-error')).toHaveCount(0)

  // Zooming on while an answer is slow: the page waits for the last window, not for each on the way there.
  const asked: string[] = []
  mend = await instead(page, '**/api/v1/history**', async (route) => {
    asked.push(new URL(route.request().url()).searchParams.get('to') ?? '')
    if (asked.length === 1) return
    await route.continue()
  })
  const now = Date.now()
  for (const [before, minutes] of [100, 60, 40].entries()) {
    const from = now - minutes * MINUTE
    await page.evaluate(
      ([from, to]) => {
        location.hash = `#/device/pump?from=${from}&to=${to}`
      },
      [from, from + 5 * MINUTE] as const,
    )
    // One that is on its way is given up for the next after a moment.
    await expect.poll(() => asked.length).toBeGreaterThan(before)
    await expect(page.locator('.plot'), 'the picture stays').not.toHaveAttribute('data-empty')
  }
  await expect.poll(() => asked.at(-1)).toBe(`${now - 35 * MINUTE}ms`)
  await expect(page.locator('.card-error')).toHaveCount(0)
  await mend()
})

test('a way that lets no live connection through: history is drawn, and every zoom of it', async ({
  page,
  hub,
  sender,
}) => {
  await fill(sender, 'pump', 'pressure', 7_200)
  await logIn(page, hub)
  await page.routeWebSocket('**/api/v1/live', (socket) => void socket.close({ code: 1011, reason: 'not here' }))
  await page.goto('about:blank')
  await page.goto(`${hub.url}/#/device/pump`)
  await expect(connection(page)).toHaveText(/Reconnecting/)
  const plot = page.locator('.plot')
  await expect(plot.locator('canvas')).toBeVisible()
  await expect(plot).not.toHaveAttribute('data-empty')
  const asked: string[] = []
  page.on('response', (response) => {
    if (response.url().includes('/history')) asked.push(new URL(response.url()).searchParams.get('from') ?? '')
  })
  // Zooming out: what is left of the window before is not what is asked for.
  for (const [count, range] of ['1h', '6h', '24h'].entries()) {
    await page.getByRole('button', { name: range, exact: true }).click()
    await expect.poll(() => asked.length).toBe(count + 1)
  }
  // The time that is shown stands still: of two answers in the same moment of it the later one is drawn.
  const now = Date.now()
  for (const [count, minutes] of [100, 115].entries()) {
    await page.evaluate(
      ([from, to]) => {
        location.hash = `#/device/pump?from=${from}&to=${to}`
      },
      [now - minutes * MINUTE, now - (minutes - 10) * MINUTE] as const,
    )
    await expect.poll(() => asked.length).toBe(count + 4)
    await expect(plot).not.toHaveAttribute('data-empty')
  }
  await expect(page.locator('.figure')).toContainText('V')
})

test('the box of a range has the times of when it is opened', async ({ page, hub, sender }) => {
  await sender.send(...round(Date.now(), 1))
  await letTimePass(page)
  await logIn(page, hub)
  await openDevice(page, hub, 'plant')
  const box = page.locator('.range-box summary')
  const to = page.getByLabel('To', { exact: true })
  await box.click()
  const before = Date.parse(await to.inputValue())
  await box.click()
  await passTime(page, 1, 10 * MINUTE)
  await box.click()
  await expect.poll(async () => Date.parse(await to.inputValue()) - before).toBeGreaterThanOrEqual(10 * MINUTE)
})

test('an answer that takes its time: until it is there nothing is said of readings', async ({ page, hub, sender }) => {
  await fill(sender, 'pump', 'pressure', 600)
  await logIn(page, hub)
  let answer: (() => void) | undefined
  const asked = new Promise<void>((done) => {
    answer = done
  })
  const mend = await instead(page, '**/api/v1/history**', async (route) => {
    await asked
    await route.continue()
  })
  const to = Date.now() - 60 * MINUTE
  await page.goto(`${hub.url}/#/explore?select=pump%2F*&from=${to - 10 * MINUTE}&to=${to}`)
  const plot = page.locator('.plot')
  const said = () => plot.evaluate((element) => getComputedStyle(element, '::after').content)
  await expect(plot).toHaveAttribute('data-empty', 'asked')
  expect(await said()).toBe('"Asking the hub"')
  const figures = page.getByRole('region', { name: 'Figures' })
  await expect(figures).toContainText('Looking …')
  answer?.()
  await expect(plot).toHaveAttribute('data-empty', 'known')
  expect(await said()).toBe('"No reading in this time"')
  await expect(figures).not.toContainText('Looking …')
  await expect(figures.getByRole('row', { name: 'pump/pressure' })).toBeVisible()
  await mend()
})

test('a device is deleted while it is shown: nothing of it is shown as if it were there', async ({
  page,
  hub,
  sender,
}) => {
  const now = Date.now()
  // Quiet for longer than what live covers: only its last value is known.
  await sender.send(
    { device: 'old', metric: 'pressure', value: 4.2, unit: 'bar', time: now - 3_600_000 },
    { device: 'old', metric: 'mode', value: 'idle', time: now - 3_600_000 },
    { device: 'old', metric: 'level', value: 7, unit: 'm', time: now - 5_000 },
  )
  await logIn(page, hub)
  await page.goto(`${hub.url}/#/device/old`)
  const card = (name: string) => page.locator('.card').filter({ has: page.getByRole('heading', { name }) })
  await expect(card('pressure').locator('.figure')).toContainText('4.2 bar')
  await expect(card('level').locator('.figure')).toContainText('7 m')
  await expect(page.locator('.state-value')).toContainText('idle')
  await hub.cli('delete', '--select', 'old/*', '--from', '2000-01-01T00:00:00Z', '--yes')
  // Of what lies before live nothing is said: it is asked for each half a minute.
  await expect(page.locator('.figure').filter({ hasText: /4\.2 bar|7 m/ })).toHaveCount(0, { timeout: 40_000 })
  await expect(page.getByText('idle')).toHaveCount(0)
  await sender.send({ device: 'old', metric: 'level', value: 8, unit: 'm', time: Date.now() })
  await expect(card('level').locator('.figure')).toContainText('8 m')
})

test('a browser that keeps nothing, and denies it', async ({ page, hub, sender }) => {
  await page.addInitScript(() => {
    Object.defineProperty(window, 'localStorage', {
      get: () => {
        throw new DOMException('denied', 'SecurityError')
      },
    })
  })
  await sender.send({ device: 'pump', metric: 'pressure', value: 4.2, unit: 'bar' })
  await logIn(page, hub)
  await page.getByRole('button', { name: /^Colours: system/ }).click()
  await expect(page.locator('html')).toHaveAttribute('data-theme', 'light')
  await openDevice(page, hub, 'pump')
  await page.locator('.range-box summary').click()
  await page.getByLabel('Time zone').selectOption('UTC')
  await expect(page.locator('.range-box summary')).toContainText('UTC')
})

test('a store of the browser that is full', async ({ page, hub }) => {
  await page.addInitScript(() => {
    Storage.prototype.setItem = () => {
      throw new DOMException('full', 'QuotaExceededError')
    }
  })
  await logIn(page, hub)
  await page.getByRole('button', { name: /^Colours: system/ }).click()
  await expect(page.locator('html')).toHaveAttribute('data-theme', 'light')
})

test('two tabs: each is live by itself, and who logs out in one is out in the other, which says why', async ({
  page,
  hub,
  sender,
}) => {
  await sender.send({ device: 'pump', metric: 'pressure', value: 1, unit: 'bar' })
  await logIn(page, hub)
  const other = await page.context().newPage()
  await other.goto(hub.url)
  await expect(connection(other)).toHaveText('Live')
  await sender.send({ device: 'pump', metric: 'pressure', value: 2, unit: 'bar' })
  for (const tab of [page, other]) await expect(tab.getByRole('link', { name: /pump/ })).toContainText('2 bar')
  const mend = await instead(page, '**/api/v1/logout', (route) => route.abort('connectionrefused'))
  await page.getByRole('button', { name: 'Log out' }).click()
  await expect(page.getByText('You are still logged in. The hub does not answer.')).toBeVisible()
  await mend()
  await page.getByRole('button', { name: 'Log out' }).click()
  await expect(page.getByRole('button', { name: 'Log in' })).toBeVisible()
  await expect(other.getByText(/The hub ended this session/)).toBeVisible()
  await other.close()
})

test('what fails in a page blanks neither the head nor the other pages', async ({ page, hub, sender, complaints }) => {
  await sender.send({ device: 'pump', metric: 'pressure', value: 1, unit: 'bar' })
  await logIn(page, hub)
  // An element that only one page has cannot be made.
  await page.evaluate(() => {
    const { createElement, createElementNS } = Document.prototype
    const breaks = (name: string) => {
      if (name === 'datalist') throw new Error('broken on purpose')
    }
    Document.prototype.createElement = function (this: Document, name: string) {
      breaks(name)
      return createElement.call(this, name)
    } as typeof createElement
    Document.prototype.createElementNS = function (this: Document, space: string, name: string) {
      breaks(name)
      return createElementNS.call(this, space, name)
    } as typeof createElementNS
  })
  await page.getByRole('link', { name: 'Explore' }).click()
  await expect(page.getByRole('heading', { name: 'This page could not be drawn' })).toBeVisible()
  await expect(page.getByText('broken on purpose')).toBeVisible()
  await page.getByRole('link', { name: 'Devices', exact: true }).click()
  await expect(page.getByRole('link', { name: /pump/ })).toBeVisible()
  expect(complaints.splice(0).join()).toContain('broken on purpose')
})

test('a link whose code is no code is refused with words', async ({ page, hub, complaints }) => {
  await page.goto(`${hub.url}/#login=%E0%A4%A`)
  await expect(page.getByRole('alert')).toBeVisible()
  await expect(page.getByRole('button', { name: 'Log in' })).toBeVisible()
  complaints.splice(0)
})
