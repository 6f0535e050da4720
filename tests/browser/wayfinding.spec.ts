// Where one is and how one got there: addresses that hold the view, titles, the back button, the focus, an address of no page.
import type { Page } from '@playwright/test'
import { connection, expect, logIn, test } from './fixtures'
import type { Reading } from './sender'

const MINUTE = 60_000

function readings(device: string, metrics: readonly string[], now: number): Reading[] {
  return metrics.flatMap((metric, at) =>
    Array.from({ length: 30 }, (_, i) => ({ device, metric, value: at + i, unit: 'V', time: now - (30 - i) * MINUTE })),
  )
}

test('every page has a title, and one by keys begins at its head', async ({ page, hub, sender }) => {
  await sender.send(...readings('pump', ['level'], Date.now()))
  await page.goto(hub.url)
  await expect(page).toHaveTitle('Log in · Telltale')
  await logIn(page, hub)
  await expect(page).toHaveTitle('Devices · Telltale')
  const link = page.getByRole('link', { name: /pump/ })
  await link.focus()
  await page.keyboard.press('Enter')
  await expect(page).toHaveTitle('pump · Telltale')
  await expect(page.locator('main'), 'what is read next is the page').toBeFocused()
  await page.getByRole('link', { name: 'Open in Explore' }).click()
  await expect(page).toHaveTitle('pump/* · Telltale')
  await expect(page.locator('.plot:not([data-empty])')).toHaveCount(1)
  await page.getByRole('link', { name: 'Status' }).click()
  await expect(page).toHaveTitle('Status · Telltale')
  await page.goBack()
  await expect(page).toHaveTitle('pump/* · Telltale')
})

test('an address of no page says so, and leads on', async ({ page, hub, sender }) => {
  await sender.send({ device: 'pump', metric: 'level', value: 1 })
  await logIn(page, hub)
  await page.goto(`${hub.url}/#/divces/pump`)
  await expect(page.getByRole('heading', { name: 'There is no page at this address' })).toBeVisible()
  await expect(connection(page)).toHaveText('Live')
  await page.getByRole('link', { name: 'All devices', exact: true }).click()
  await expect(page.getByRole('link', { name: /pump/ })).toBeVisible()
})

test('a link holds the zone of the times, the first day of the week, and which metrics were looked at', async ({
  page,
  hub,
  sender,
  browser,
}) => {
  const metrics = Array.from({ length: 10 }, (_, i) => `metric.${i}`)
  await sender.send(...readings('pump', metrics, Date.now()))
  await logIn(page, hub)
  await page.goto(`${hub.url}/#/device/pump?range=1h`)
  await page.getByLabel('Filter metrics').fill('metric.7')
  await expect(page.locator('.card')).toHaveCount(1)
  const box = page.locator('.range-box summary')
  await box.click()
  await page.getByLabel('Time zone').selectOption('UTC')
  await page.getByLabel('Weeks begin on').selectOption({ label: 'Saturday' })
  await page.getByRole('button', { name: 'This week' }).click()
  await expect(page).toHaveURL(/#\/device\/pump\?q=metric\.7&range=week&tz=UTC&week=6$/)
  const link = page.url()

  // Somebody else, elsewhere.
  const other = await browser.newContext({ timezoneId: 'Asia/Tokyo', locale: 'de-DE' })
  await other.addCookies(await page.context().cookies())
  const theirs = await other.newPage()
  await theirs.goto(link)
  await expect(theirs.locator('.card')).toHaveCount(1)
  await expect(theirs.locator('.range-box summary')).toHaveText('This week · UTC')
  await theirs.locator('.range-box summary').click()
  await expect(theirs.getByLabel('Weeks begin on')).toHaveValue('6')
  expect(await theirs.evaluate(() => localStorage.getItem('telltale.zone')), 'their own choice stays').toBeNull()
  await other.close()
})

test('"Back to live" leads to what slid before, and today is live', async ({ page, hub, sender }) => {
  await sender.send(...readings('pump', ['level'], Date.now()))
  await logIn(page, hub)
  await page.goto(`${hub.url}/#/device/pump`)
  await page.getByRole('button', { name: '6h', exact: true }).click()
  await page.getByRole('button', { name: 'Earlier' }).click()
  await page.getByRole('button', { name: 'Back to live' }).click()
  await expect(page.getByRole('button', { name: '6h', exact: true })).toHaveAttribute('aria-pressed', 'true')
  await page.locator('.range-box summary').click()
  await page.getByRole('button', { name: 'Today' }).click()
  await expect(page.locator('.range-box summary')).toContainText('Today')
  await expect(page.getByRole('button', { name: 'Back to live' })).toHaveCount(0)
})

test('what is opened takes the focus, and what is closed gives it back', async ({ page, hub, sender }) => {
  await sender.send(...readings('pump', ['level'], Date.now()))
  await logIn(page, hub)
  await page.goto(`${hub.url}/#/device/pump`)
  const box = page.locator('.range-box summary')
  await box.focus()
  for (const leave of ['Escape', 'Enter']) {
    await page.keyboard.press('Enter')
    await page.keyboard.press('Tab')
    await expect(page.getByRole('button', { name: 'Today' })).toBeFocused()
    await page.keyboard.press(leave)
    await expect(page.locator('.range-box[open]')).toHaveCount(0)
    await expect(box, leave).toBeFocused()
  }
  const edit = page.getByRole('button', { name: 'Edit name, note, attributes' })
  await edit.focus()
  await page.keyboard.press('Enter')
  await expect(page.getByLabel('Name', { exact: true })).toBeFocused()
  await page.getByRole('button', { name: 'Cancel' }).click()
  await expect(edit).toBeFocused()
  await page.goto(`${hub.url}/#/status`)
  await page.getByRole('button', { name: 'Revoke sender' }).focus()
  await page.keyboard.press('Enter')
  await expect(page.getByRole('button', { name: 'Keep' })).toBeFocused()
})

test('the list is where it was when one comes back to it, and a device begins at its top', async ({
  page,
  hub,
  sender,
}) => {
  const now = Date.now()
  const ids = Array.from({ length: 400 }, (_, i) => `meter-${String(i).padStart(3, '0')}`)
  await sender.send(...ids.map((device) => ({ device, metric: 'power', value: 1, unit: 'W', time: now })))
  const metrics = Array.from({ length: 12 }, (_, i) => `metric.${i}`)
  await sender.send(...metrics.map((metric) => ({ device: 'meter-300', metric, value: 1, unit: 'W', time: now })))
  await logIn(page, hub)
  await expect(page.getByRole('link', { name: /meter-000/ })).toBeVisible()
  const top = (at: Page) => at.evaluate(() => scrollY)
  await expect.poll(() => page.evaluate(() => document.body.scrollHeight), 'room for all').toBeGreaterThan(400 * 40)
  await page.evaluate(() => scrollTo(0, 300 * (document.querySelector('.row')?.clientHeight ?? 0)))
  await page.getByRole('link', { name: /meter-300/ }).click()
  await expect(page.locator('.plot').last()).toBeAttached()
  await expect.poll(() => top(page)).toBe(0)
  await page.goBack()
  await expect(page.getByRole('link', { name: /meter-300/ })).toBeInViewport()
})

for (const width of [768, 1024, 1440]) {
  test(`nothing is wider than a screen of ${width} px, the box of a range included`, async ({ page, hub, sender }) => {
    await sender.send(...readings('pump', ['level', 'flow'], Date.now()))
    await page.setViewportSize({ width, height: 900 })
    await logIn(page, hub)
    for (const address of [
      '#/',
      '#/device/pump?range=1h',
      '#/explore?select=pump%2F*&every=1m&compare=1d',
      '#/status',
    ]) {
      await page.goto(`${hub.url}/${address}`)
      await expect(page.locator('.plot:not([data-empty]), .row, .figure-card').first()).toBeVisible()
      const box = page.locator('.range-box summary')
      if ((await box.count()) > 0) await box.click()
      const widths = await page.evaluate(() => {
        const panel = document.querySelector('.range-panel')?.getBoundingClientRect()
        return [document.documentElement.scrollWidth, panel?.right ?? 0, panel?.left ?? 0] as const
      })
      expect(widths[0], address).toBeLessThanOrEqual(width)
      expect(widths[1], address).toBeLessThanOrEqual(width)
      expect(widths[2], address).toBeGreaterThanOrEqual(0)
    }
  })
}

test('a link has the lines that were switched off; the back button switches them as they were', async ({
  page,
  hub,
  sender,
  browser,
}) => {
  const now = Date.now()
  const cpus = [0, 1, 2].flatMap((cpu) =>
    Array.from(
      { length: 30 },
      (_, i): Reading => ({
        device: 'host',
        metric: 'cpu',
        labels: { cpu: `cpu${cpu}` },
        value: 20 * cpu + (i % 5),
        unit: '%',
        time: now - (30 - i) * MINUTE,
      }),
    ),
  )
  await sender.send(...cpus, ...readings('host', ['level'], now))
  await logIn(page, hub)
  await page.goto(`${hub.url}/#/device/host?range=1h`)
  const line = (at: Page, name: string) => at.locator('.legend').getByRole('button', { name: new RegExp(name) })
  /** How many pixels of the chart have the colour of a line. */
  const drawn = (at: Page, name: string) =>
    line(at, name).evaluate((button) => {
      const colour = getComputedStyle(button.querySelector('.swatch') as Element).backgroundColor
      const [r, g, b] = (colour.match(/\d+/g) ?? []).map(Number)
      const canvas = button.closest('.card')?.querySelector('canvas') as HTMLCanvasElement
      const { data } = (canvas.getContext('2d') as CanvasRenderingContext2D).getImageData(
        0,
        0,
        canvas.width,
        canvas.height,
      )
      let count = 0
      for (let i = 0; i < data.length; i += 4) if (data[i] === r && data[i + 1] === g && data[i + 2] === b) count += 1
      return count
    })
  await expect.poll(() => drawn(page, 'cpu1')).toBeGreaterThan(50)
  await line(page, 'cpu1').click()
  await line(page, 'cpu2').click()
  await expect(page).toHaveURL(/#\/device\/host\?off=[\w-]{10}&range=1h$/)
  await expect.poll(() => drawn(page, 'cpu1')).toBe(0)

  const other = await browser.newContext()
  await other.addCookies(await page.context().cookies())
  const theirs = await other.newPage()
  await theirs.goto(page.url())
  await expect.poll(() => drawn(theirs, 'cpu0')).toBeGreaterThan(50)
  await expect(line(theirs, 'cpu1')).toHaveAttribute('aria-pressed', 'false')
  expect([await drawn(theirs, 'cpu1'), await drawn(theirs, 'cpu2')]).toEqual([0, 0])
  await other.close()

  await page.getByRole('link', { name: 'Open in Explore' }).click()
  await expect(line(page, 'cpu1')).toHaveAttribute('aria-pressed', 'false')
  await line(page, 'cpu1').click()
  await expect.poll(() => drawn(page, 'cpu1')).toBeGreaterThan(50)
  await expect(page).toHaveURL(/[?&]off=[\w-]{5}(&|$)/)
  await page.goBack()
  await expect(line(page, 'cpu1')).toHaveAttribute('aria-pressed', 'false')
  await expect.poll(() => drawn(page, 'cpu1')).toBe(0)
  expect(await drawn(page, 'cpu0')).toBeGreaterThan(50)
})
