// Charts, Explore and the list of devices, as a person uses them: zooms and their undoing, gaps, axes, filters, fingers.
import type { Page } from '@playwright/test'
import { expect, logIn, test } from './fixtures'
import type { Hub } from './hub'
import type { Reading } from './sender'

const MINUTE = 60_000

/** Readings of one metric, one each `step` ms of [from, to). */
function series(device: string, metric: string, unit: string, from: number, to: number, step = 10_000): Reading[] {
  const readings: Reading[] = []
  for (let time = from; time < to; time += step) {
    const value = Math.round((20 + 5 * Math.sin(time / MINUTE / 7)) * 1000) / 1000
    readings.push({ device, metric, value, unit, time })
  }
  return readings
}

/** As the page tells a moment: after midnight the day is told of what was before. */
const TOLD = String.raw`(\d+ \w{3} (\d{4} )?\d\d:\d\d|\d\d:\d\d:\d\d)`

async function area(page: Page, at = 0) {
  const box = await page.locator('.plot .u-over').nth(at).boundingBox()
  if (box === null) throw new Error(`chart ${at} has no drawing area`)
  return box
}

async function drag(page: Page, from: number, to: number): Promise<void> {
  const box = await area(page)
  await page.mouse.move(box.x + box.width * from, box.y + 40)
  await page.mouse.down()
  await page.mouse.move(box.x + box.width * to, box.y + 40, { steps: 4 })
  await page.mouse.up()
}

function windowIn(page: Page): { from: number; to: number } {
  const query = new URLSearchParams(new URL(page.url()).hash.split('?')[1])
  return { from: Number(query.get('from')), to: Number(query.get('to')) }
}

async function edit(page: Page, device: string, attributes: Record<string, string>): Promise<void> {
  await page.evaluate(
    async ([device, attributes]) => {
      const headers = { 'content-type': 'application/json' }
      const body = JSON.stringify({ attributes })
      const answer = await fetch(`api/v1/devices/${device}`, { method: 'PATCH', headers, body })
      if (!answer.ok) throw new Error(await answer.text())
    },
    [device, attributes] as const,
  )
}

test('zooms are undone one by one: by the button, by Backspace, by a double click', async ({ page, hub, sender }) => {
  const now = Date.now()
  await sender.send(
    ...series('tank', 'level', 'm', now - 70 * MINUTE, now),
    ...series('tank', 'flow', 'l', now - 70 * MINUTE, now),
  )
  await logIn(page, hub)
  await page.goto(`${hub.url}/#/device/tank?range=1h`)
  await expect(page.locator('.plot:not([data-empty])')).toHaveCount(2)
  const undo = page.getByRole('button', { name: 'Undo zoom' })
  await expect(undo).toHaveCount(0)
  await drag(page, 0.2, 0.6)
  await expect(page).toHaveURL(/from=\d+&to=\d+/)
  const first = windowIn(page)
  expect(Math.abs(first.to - first.from - 24 * MINUTE), 'two fifths of an hour').toBeLessThan(MINUTE)
  await expect(undo).toBeVisible()
  await drag(page, 0.25, 0.75)
  await expect.poll(() => windowIn(page).from).toBeGreaterThan(first.from)
  await page.keyboard.press('ArrowRight')
  await expect.poll(() => windowIn(page).to).not.toBe(first.to)
  await page.screenshot({ path: 'shots/zoomed.png' })

  await undo.click()
  await page.locator('.plot').first().focus()
  await page.keyboard.press('Backspace')
  await expect.poll(() => windowIn(page)).toEqual(first)
  await page.locator('.plot .u-over').first().dblclick()
  await expect(page.getByRole('button', { name: '1h', exact: true })).toHaveAttribute('aria-pressed', 'true')
  await expect(undo).toHaveCount(0)

  // A drag on one chart is one step back, however many charts there are.
  await drag(page, 0.2, 0.6)
  await expect(undo).toBeVisible()
  await page.goBack()
  await expect(page.getByRole('button', { name: '1h', exact: true })).toHaveAttribute('aria-pressed', 'true')
  await expect(undo).toHaveCount(0)
})

test('a gap is a place without data, under the crosshair and in a list; a series that stopped is stale', async ({
  page,
  hub,
  sender,
}) => {
  const now = Date.now()
  const [from, to] = [now - 40 * MINUTE, now - 30 * MINUTE]
  const temperatures = [
    ...series('boiler', 'temperature', '°C', now - 60 * MINUTE, from),
    ...series('boiler', 'temperature', '°C', to, now - 5 * MINUTE),
  ]
  await sender.send(
    ...temperatures,
    ...series('boiler', 'pressure', 'bar', now - 60 * MINUTE, from + 1),
    ...series('boiler', 'pressure', 'bar', to, now),
  )
  // However long this takes, one of them goes on.
  const acks: Promise<unknown>[] = []
  const beat = setInterval(
    () => acks.push(sender.send(...series('boiler', 'pressure', 'bar', Date.now(), Date.now() + 1))),
    5_000,
  )
  await logIn(page, hub)
  await page.goto(`${hub.url}/#/device/boiler?range=1h`)
  await expect(page.locator('.plot:not([data-empty])')).toHaveCount(2)
  const card = (name: string) => page.locator('.card', { has: page.getByRole('heading', { name, exact: true }) })
  await expect(card('temperature').getByText(new RegExp(`^stale since ${TOLD}$`))).toBeVisible()
  await expect(card('pressure').getByText(/stale/)).toHaveCount(0)

  const box = await area(page)
  await page.mouse.move(box.x + box.width * (25 / 60), box.y + 60)
  for (const name of ['temperature', 'pressure']) {
    await expect(card(name), 'one crosshair over all').toContainText(new RegExp(`no data from ${TOLD} to ${TOLD}`))
  }
  await page.screenshot({ path: 'shots/gap.png' })
  await page.mouse.move(box.x + box.width * (5 / 60), box.y + 60)
  const figure = card('temperature').locator('.figure')
  await expect(figure).toContainText(/\d °C/)
  const read = Number((await figure.locator('b').innerText()).replace('\u2212', '-'))
  expect(
    temperatures.map(({ value }) => value),
    'every figure of the reading',
  ).toContain(read)
  await page.mouse.move(0, 0)

  await page.getByText('Gaps in this time').click()
  const rows = page.locator('.gaps tbody tr')
  await expect(rows).toHaveCount(2)
  await expect(rows.nth(0)).toContainText(/lasts on\s*[4-9] min\s*temperature/)
  await expect(rows.nth(1)).toContainText(/(9|10) min\s*all/)
  await page.screenshot({ path: 'shots/gaps.png', fullPage: true })
  clearInterval(beat)
  await Promise.all(acks)
})

test('a crosshair does not outlive its page: the next one shows what is newest', async ({ page, hub, sender }) => {
  const now = Date.now()
  await sender.send(
    ...series('first', 'level', 'm', now - 10 * MINUTE, now - MINUTE / 2),
    ...series('second', 'level', 'm', now - 10 * MINUTE, now - MINUTE / 2),
  )
  await logIn(page, hub)
  await page.goto(`${hub.url}/#/device/first`)
  await expect(page.locator('.plot:not([data-empty])')).toHaveCount(1)
  const box = await area(page)
  await page.mouse.move(box.x + box.width / 2, box.y + 40)
  await expect(page.locator('.figure small')).toBeVisible()
  await page.evaluate(() => {
    location.hash = '#/'
  })
  await expect(page.getByRole('link', { name: /second/ })).toBeVisible()
  // No chart is under the mouse then.
  await page.setViewportSize({ width: 1280, height: 300 })
  await page.evaluate(() => {
    location.hash = '#/device/second'
  })
  await expect(page.locator('.figure b')).toBeVisible()
  await expect(page.locator('.figure small')).toHaveCount(0)
})

test('explore: two units on two axes, told by the link; of three one has a chart of its own', async ({
  page,
  hub,
  sender,
}) => {
  const now = Date.now()
  const span = [now - 20 * MINUTE, now] as const
  await sender.send(...series('pump', 'temperature', '°C', ...span), ...series('pump', 'power', 'W', ...span))
  await logIn(page, hub)
  await page.goto(`${hub.url}/#/explore?select=pump%2F*`)
  await expect(page.locator('.plot:not([data-empty])')).toHaveCount(2)
  await page.getByLabel('Axes').selectOption({ label: 'two units in a chart' })
  await expect(page.locator('.plot:not([data-empty])')).toHaveCount(1)
  await expect(page).toHaveURL(/axes=2/)
  await expect(page.locator('.legend li')).toContainText([/power\s*left.* W/, /temperature\s*right.* °C/])
  // Back and forth between one and two columns of lines, while the window slides.
  for (const compare of ['1d', '', '7d', '']) await page.getByLabel('Compare with').selectOption(compare)
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme })
    await page.screenshot({ path: `shots/axes-${colorScheme}.png` })
  }
  const link = page.url()
  await sender.send(...series('pump', 'flow', 'l', ...span))
  await page.goto(`${hub.url}/#/`)
  await page.goto(link)
  await expect(page.locator('.plot:not([data-empty])')).toHaveCount(2)
  await expect(page.getByText('A chart has two axes. 3 units were found')).toBeVisible()
})

test('explore: the table has what the charts show, and every link to download is right for every aggregate', async ({
  page,
  hub,
  sender,
}) => {
  const now = Date.now()
  await sender.send(
    ...series('pump', 'power', 'W', now - 50 * MINUTE, now),
    { device: 'pump', metric: 'running', value: true, time: now - 10 * MINUTE },
    { device: 'pump', metric: 'mode', value: 'idle', time: now - 9 * MINUTE },
  )
  await logIn(page, hub)
  await page.goto(`${hub.url}/#/explore?select=pump%2F*&every=5m&range=1h`)
  const shows = page.getByLabel('Each shows')
  await expect(shows).toBeVisible()
  await expect(page.locator('.downloads a')).toHaveCount(3)
  const figures = page.getByRole('region', { name: 'Figures' })
  for (const agg of await shows.locator('option').allInnerTexts()) {
    await shows.selectOption(agg)
    await expect(figures.getByRole('columnheader', { name: agg, exact: true })).toHaveCount(1)
    const answers = await page.evaluate(async () => {
      const links = [...document.querySelectorAll<HTMLAnchorElement>('.downloads a')]
      return Promise.all(
        links.map(async ({ href }) => {
          const answer = await fetch(href)
          return [answer.status, (await answer.text()).slice(0, 200)] as const
        }),
      )
    })
    const [csv, ndjson, parquet] = answers
    expect(csv, agg).toEqual([200, expect.stringMatching(new RegExp(`^device,metric,labels,time,${agg}\n`))])
    expect(ndjson, agg).toEqual([200, expect.stringContaining(`"${agg}":`)])
    expect(parquet, agg).toEqual([200, expect.stringMatching(/^PAR1/)])
  }
  await expect(page.getByText('without 2 states, which have no rate')).toBeVisible()
  await page.screenshot({ path: 'shots/downloads.png', fullPage: true })
})

test('the list is filtered by site, attribute, gateway and state, as rows or tiles, and the link holds it', async ({
  page,
  hub,
  sender,
}) => {
  const names = Array.from({ length: 12 }, (_, i) => `meter-${i + 1}`)
  const now = Date.now()
  await sender.send(...names.flatMap((device) => series(device, 'power', 'W', now - 50 * MINUTE, now, MINUTE)))
  await logIn(page, hub)
  for (const [i, name] of names.entries())
    await edit(page, name, { site: i < 5 ? 'North' : 'South', floor: String(i % 3) })
  await page.reload()
  const links = page.getByRole('link', { name: /meter-/ })
  await expect(links).toHaveCount(12)
  const choose = page.getByLabel('Filter by attribute')
  await choose.selectOption({ label: 'North' })
  await expect(links).toHaveCount(5)
  await choose.selectOption({ label: '1' })
  await expect(links).toHaveCount(2)
  await choose.selectOption({ label: '2' })
  await expect(links, 'values of one attribute are alternatives').toHaveCount(3)
  await page.getByLabel('Order by').selectOption({ label: 'by site' })
  await page.getByRole('button', { name: 'tiles', exact: true }).click()
  await expect(page.locator('.tile')).toHaveCount(3)
  await expect(page).toHaveURL(/where=site%3DNorth&where=floor%3D1&where=floor%3D2&order=site&form=tiles/)
  const link = page.url()
  await page.getByRole('button', { name: 'Remove the filter site North' }).click()
  await expect(page.locator('.tile')).toHaveCount(8)
  await page.screenshot({ path: 'shots/tiles.png' })

  await page.getByRole('link', { name: /meter-2/ }).click()
  await page.getByRole('link', { name: 'Devices' }).first().click()
  await expect(page.locator('.tile'), 'as it was left').toHaveCount(8)
  await page.goto(link)
  await expect(page.locator('.tile')).toHaveCount(3)
  await page.goto(`${hub.url}/#/?state=offline`)
  await expect(page.getByText('No device matches the filters.')).toBeVisible()
  await page.getByRole('button', { name: 'Show all' }).click()
  await expect(page.locator('.tile'), 'tiles stay').toHaveCount(12)
})

test('a device that went is unreachable, and found by it', async ({ page, hub, sender }) => {
  const now = Date.now()
  await sender.send(
    ...series('here', 'power', 'W', now - MINUTE, now),
    ...series('gone', 'power', 'W', now - MINUTE, now),
    { device: 'gone', metric: 'running', value: true, time: now - 5 * MINUTE },
  )
  await logIn(page, hub)
  await expect(page.getByRole('link', { name: /gone/ })).toBeVisible()
  sender.end()
  const chip = page.getByRole('group', { name: 'State' }).getByRole('button', { name: 'unreachable 2' })
  await expect(chip).toBeVisible()
  await chip.click()
  await expect(page).toHaveURL(/state=offline/)
  await expect(page.locator('.rows > li')).toHaveCount(2)
  await page.setViewportSize({ width: 768, height: 900 })
  await page.getByRole('link', { name: /gone/ }).click()
  await expect(page.locator('.facts')).toContainText('unreachable')
  const bottom = async (of: string) => {
    const box = await page.locator(of).boundingBox()
    return (box?.y ?? Number.NaN) + (box?.height ?? 0)
  }
  await expect(page.locator('.strip')).toBeVisible()
  expect(await bottom('.strip'), 'a timeline has a line of its own').toBeGreaterThan(
    (await bottom('.state-value')) + 10,
  )
})

test('charts of one unit stand together; a week begins as it was chosen to', async ({ page, hub, sender }) => {
  const now = Date.now()
  const span = [now - 10 * MINUTE, now] as const
  await sender.send(
    ...series('hall', 'air', '°C', ...span),
    ...series('hall', 'floor', 'degC', ...span),
    ...series('hall', 'pressure', 'hPa', ...span),
  )
  await logIn(page, hub)
  await page.goto(`${hub.url}/#/device/hall`)
  const together = page.getByRole('region', { name: 'Charts in °C' })
  await expect(together.locator('.plot')).toHaveCount(2)
  await expect(page.locator('.plot')).toHaveCount(3)
  await edit(page, 'hall', { tz: 'Asia/Kathmandu' })
  await page.reload()
  const box = page.locator('.range-box summary')
  await box.click()
  await page.getByLabel('Time zone').selectOption({ label: 'Site (Asia/Kathmandu)' })
  const weekday = async (name: string) => {
    await page.getByLabel('Weeks begin on').selectOption({ label: name })
    await page.getByRole('button', { name: 'This week' }).click()
    await box.click()
    const from = await page.getByLabel('From', { exact: true }).inputValue()
    expect(from, 'midnight').toMatch(/T00:00(:00)?$/)
    return new Date(`${from.slice(0, 10)}T12:00:00Z`).getUTCDay()
  }
  expect(await weekday('Saturday')).toBe(6)
  expect(await weekday('Monday')).toBe(1)
  await page.reload()
  await expect(box, 'the choice stays').toContainText('This week · Asia/Kathmandu')
  await box.click()
  await expect(page.getByLabel('Weeks begin on')).toHaveValue('1')
  await page.screenshot({ path: 'shots/week.png' })
})

test.describe('on a phone', () => {
  test.use({ viewport: { width: 360, height: 740 }, hasTouch: true })

  test('two fingers zoom, one moves in time or scrolls the page', async ({ page, hub, sender }) => {
    const now = Date.now()
    await sender.send(...series('tank', 'level', 'm', now - 3 * 60 * MINUTE, now, MINUTE))
    await logIn(page, hub)
    const [from, to] = [now - 90 * MINUTE, now - 30 * MINUTE]
    await page.goto(`${hub.url}/#/device/tank?from=${from}&to=${to}`)
    await expect(page.locator('.plot:not([data-empty])')).toHaveCount(1)
    const box = await area(page)
    const devtools = await page.context().newCDPSession(page)
    const fingers = async (...moments: [number, number][][]) => {
      const points = (at: [number, number][]) =>
        at.map(([x, y], id) => ({ x: box.x + box.width * x, y: box.y + y, id }))
      const [first = [], ...rest] = moments
      await devtools.send('Input.dispatchTouchEvent', { type: 'touchStart', touchPoints: points(first) })
      for (const at of rest)
        await devtools.send('Input.dispatchTouchEvent', { type: 'touchMove', touchPoints: points(at) })
      await devtools.send('Input.dispatchTouchEvent', { type: 'touchEnd', touchPoints: [] })
    }
    const steps = (x0: number, x1: number, y0: number, y1: number) =>
      Array.from({ length: 6 }, (_, i): [number, number] => [x0 + ((x1 - x0) * i) / 5, y0 + ((y1 - y0) * i) / 5])

    await fingers(...steps(0.4, 0.2, 60, 60).map((a, i) => [a, steps(0.6, 0.8, 60, 60)[i] ?? a]))
    await expect.poll(() => windowIn(page).to - windowIn(page).from, 'three times as close').toBeLessThan(22 * MINUTE)
    const close = windowIn(page)
    await fingers(...steps(0.8, 0.3, 60, 62).map((a) => [a]))
    await expect.poll(() => windowIn(page).from, 'half a window later').toBeGreaterThan(close.from + 8 * MINUTE)
    const moved = windowIn(page)
    await fingers(...steps(0.5, 0.52, 120, 10).map((a) => [a]))
    await expect(page.getByRole('button', { name: 'Undo zoom' })).toBeVisible()
    expect(windowIn(page), 'up and down is the page').toEqual(moved)
    await page.screenshot({ path: 'shots/phone-chart.png' })
  })

  test('nothing is wider than the screen, on any page', async ({ page, hub, sender }) => {
    const long = 'a-device-whose-name-is-much-longer-than-a-phone-is-wide-0123456789'
    const now = Date.now()
    await page.goto(hub.url)
    await expect(page.getByRole('button', { name: 'Log in' })).toBeVisible()
    await fits(page, 'login')
    await logIn(page, hub)
    await expect(page.getByRole('heading', { name: 'No readings yet' })).toBeVisible()
    await fits(page, 'welcome')
    const metric = 'a.metric.with.a.name.that.is.longer.than.a.phone.is.wide'
    await sender.send(
      ...series(long, metric, 'kWh/m²', now - 20 * MINUTE, now - 10 * MINUTE),
      ...series(long, metric, 'kWh/m²', now - 5 * MINUTE, now - 2 * MINUTE),
      ...series(long, 'flow', 'l', now - 20 * MINUTE, now),
      {
        device: long,
        metric: 'mode.of.the.machine',
        value: 'a state with quite a long text that goes on and on',
        time: now,
      },
    )
    await sender.send({ device: 'short', metric: 'flow', value: 1, time: now })
    await expect(page.getByRole('link', { name: long })).toBeVisible()
    await edit(page, long, { site: 'a site with a name of some length', 'serial.number': '0123456789'.repeat(5) })
    await everyPage(page, hub, long)
  })
})

async function fits(page: Page, name: string): Promise<void> {
  const [content, screen, wide] = await page.evaluate(() => {
    const { scrollWidth, clientWidth } = document.documentElement
    const beyond = [...document.querySelectorAll('main *')].filter(
      (one) => one.getBoundingClientRect().right > clientWidth,
    )
    return [scrollWidth, clientWidth, beyond.map((one) => `${one.tagName} ${one.className}`).slice(0, 8)] as const
  })
  expect(content, `${name} does not scroll sideways: ${wide.join(', ')}`).toBeLessThanOrEqual(screen)
}

async function everyPage(page: Page, hub: Hub, device: string): Promise<void> {
  await page.reload()
  await expect(page.getByRole('link', { name: device })).toBeVisible()
  await page.getByLabel('Filter by attribute').selectOption({ label: 'a site with a name of some length' })
  for (const form of ['rows', 'tiles']) {
    await page.getByRole('button', { name: form, exact: true }).click()
    await fits(page, form)
    await page.screenshot({ path: `shots/phone-${form}.png` })
  }
  await page.goto(`${hub.url}/#/device/${device}`)
  await expect(page.locator('.plot:not([data-empty])')).toHaveCount(2)
  await page.getByText('Gaps in this time').click()
  await expect(page.locator('.gaps tbody tr').first()).toBeVisible()
  await fits(page, 'device')
  await page.screenshot({ path: 'shots/phone-device.png', fullPage: true })
  await page.locator('.range-box summary').click()
  await fits(page, 'range')
  await page.screenshot({ path: 'shots/phone-range.png' })
  await page.goto(`${hub.url}/#/explore?select=*%2F*&every=1m&axes=2&compare=1d`)
  await expect(page.locator('.plot:not([data-empty])').first()).toBeVisible()
  await expect(page.getByRole('region', { name: 'Figures' }).getByRole('row').first()).toBeVisible()
  await fits(page, 'explore')
  await page.screenshot({ path: 'shots/phone-explore.png', fullPage: true })
  await page.goto(`${hub.url}/#/status`)
  await expect(page.getByRole('region', { name: 'Tokens' }).getByRole('row').first()).toBeVisible()
  await fits(page, 'status')
}
