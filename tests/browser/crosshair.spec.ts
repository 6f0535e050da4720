// What is read off charts and timelines: one crosshair over all of them, with the day where it is another, and the earlier time laid
// behind. What is drawn stays while something else is asked for.
import { atNoon, expect, logIn, test } from './fixtures'
import type { Reading } from './sender'

const MINUTE = 60_000
const DAY = 86_400_000

function plant(now: number): Reading[] {
  const readings: Reading[] = []
  for (let time = now - 15 * MINUTE; time < now; time += 5_000) {
    readings.push({ device: 'press', metric: 'force', value: Math.round((time - now) / 1000), unit: 'N', time })
    readings.push({ device: 'press', metric: 'load', value: 5, unit: 'N', time })
  }
  for (const [minutes, value] of [
    [14, 'idle'],
    [8, 'pressing'],
    [2, 'idle'],
  ] as const)
    readings.push({ device: 'press', metric: 'mode', value, time: now - minutes * MINUTE })
  return readings
}

test('a timeline has times under it, and the crosshair of the charts: each is read off the other', async ({
  page,
  hub,
  sender,
}) => {
  await sender.send(...plant(Date.now()))
  await logIn(page, hub)
  await page.goto(`${hub.url}/#/device/press`)
  await expect(page.locator('.plot:not([data-empty])')).toHaveCount(2)
  const axis = page.locator('.strip-axis')
  await expect(axis).toHaveAttribute('aria-label', /^Time from .*\d\d:\d\d:\d\d to .*\d\d:\d\d:\d\d$/)
  const told = page.locator('.state-value')
  await expect(told).toContainText(/^idle\s*since/)

  const strip = await page.locator('.strip').boundingBox()
  if (strip === null) throw new Error('no timeline')
  await page.mouse.move(strip.x + strip.width * (10 / 15), strip.y + 10)
  await expect(told).toHaveText(/^pressing\s*at .*\d\d:\d\d:\d\d$/)
  const figure = page.locator('.card', { has: page.getByRole('heading', { name: 'force' }) }).locator('.figure')
  await expect(figure, 'ten minutes of fifteen').toContainText(/−(29\d|30\d) N/)
  const lines = page.locator('.u-cursor-x')
  await expect(lines.first(), 'and its line stands there').toBeVisible()
  const at = async (one: number) => {
    const [line, over] = await Promise.all([
      lines.nth(one).boundingBox(),
      page.locator('.u-over').nth(one).boundingBox(),
    ])
    return ((line?.x ?? 0) - (over?.x ?? 0)) / (over?.width ?? 1)
  }
  for (const one of [0, 1]) expect(Math.abs((await at(one)) - 10 / 15)).toBeLessThan(0.02)
  await page.mouse.move(strip.x + strip.width / 2, strip.y - 60)
  await expect(told).toContainText(/^idle\s*since/)
  await expect(page.locator('.figure small')).toHaveCount(0)

  const over = await page.locator('.u-over').first().boundingBox()
  if (over === null) throw new Error('no chart')
  await page.mouse.move(over.x + over.width * (10 / 15), over.y + 60)
  await expect(told).toHaveText(/^pressing\s*at/)
  await expect(page.locator('.strip-cross')).toBeVisible()
  const cross = await page.locator('.strip-cross').boundingBox()
  expect(Math.abs(((cross?.x ?? 0) - strip.x) / strip.width - 10 / 15)).toBeLessThan(0.02)
  await page.screenshot({ path: 'shots/crosshair.png' })

  // The mouse drawn over it zooms, as on a chart, and a double click undoes it.
  await page.mouse.move(strip.x + strip.width * 0.2, strip.y + 10)
  await page.mouse.down()
  await page.mouse.move(strip.x + strip.width * 0.6, strip.y + 10, { steps: 4 })
  await page.mouse.up()
  await expect(page).toHaveURL(/from=\d+&to=\d+/)
  const query = new URLSearchParams(new URL(page.url()).hash.split('?')[1])
  const length = Number(query.get('to')) - Number(query.get('from'))
  expect(Math.abs(length - 6 * MINUTE), 'two fifths of a quarter of an hour').toBeLessThan(MINUTE / 4)
  await page.locator('.strip').dblclick()
  await expect(page.getByRole('button', { name: '15m', exact: true })).toHaveAttribute('aria-pressed', 'true')
})

test('under the crosshair stands the day where it is not today, and the earlier time that is laid behind', async ({
  page,
  hub,
  sender,
}) => {
  await atNoon(page)
  const now = Date.now()
  const readings: Reading[] = []
  for (let time = now - 3 * DAY; time < now; time += 10 * MINUTE)
    readings.push({ device: 'tank', metric: 'level', value: Math.round((time - now) / MINUTE), unit: 'm', time })
  await sender.send(...readings)
  await logIn(page, hub)
  await page.goto(`${hub.url}/#/explore?select=tank%2F*&range=7d&compare=1d`)
  await expect(page.locator('.plot:not([data-empty])')).toHaveCount(1)
  const over = await page.locator('.u-over').boundingBox()
  if (over === null) throw new Error('no chart')
  const figure = page.locator('.figure')
  await page.mouse.move(over.x + over.width * (6 / 7), over.y + 60)
  await expect(figure).toContainText(/^\d+ \w{3} \d\d:\d\d:\d\d/)
  // The window's end moves by steps, so the place is about a day ago; what is laid behind is a day before it.
  const shown = async () => {
    const [, day, before] = /−([\d.]+) km\s*the day before −([\d.]+) km/.exec((await figure.textContent()) ?? '') ?? []
    return { day: Number(day) / 1.44, apart: (Number(before) - Number(day)) / 1.44 }
  }
  await expect(async () => {
    const { day, apart } = await shown()
    expect(Math.abs(day - 1), 'a day ago').toBeLessThan(0.2)
    expect(Math.abs(apart - 1), 'and two').toBeLessThan(0.03)
  }).toPass({ timeout: 20_000 })
  await page.mouse.move(over.x + over.width - 2, over.y + 60)
  await expect(figure, 'today').toContainText(/^\d\d:\d\d:\d\d/)
  // A few seconds of a day before: both ends of the window can be told apart, and parts of a second.
  const from = now - DAY
  await page.goto(`${hub.url}/#/explore?select=tank%2F*&from=${from}&to=${from + 4_000}`)
  await expect(page.locator('.range-box summary')).toHaveText(
    /\d+ \w{3} (\d\d:\d\d:\d\d\.\d{3}) – (?!\1)(\d+ \w{3} )?\d\d:/,
  )
})

test('another series beside the ones that are shown: the picture stays until it is there', async ({
  page,
  hub,
  sender,
}) => {
  await sender.send(...plant(Date.now()))
  await logIn(page, hub)
  await page.goto(`${hub.url}/#/explore?select=press%2Fforce&range=6h`)
  await expect(page.locator('.plot:not([data-empty])')).toHaveCount(1)
  await expect(page.getByRole('region', { name: 'Figures' }).getByRole('row')).toHaveCount(2)
  await page.evaluate(() => {
    const seen = { least: Number.POSITIVE_INFINITY, charts: Number.POSITIVE_INFINITY, empty: 0 }
    Object.assign(window, { seen })
    const look = () => {
      seen.least = Math.min(seen.least, document.documentElement.scrollHeight)
      seen.charts = Math.min(seen.charts, document.querySelectorAll('.plot canvas').length)
      seen.empty += document.querySelectorAll('.plot[data-empty]').length
      requestAnimationFrame(look)
    }
    look()
  })
  const height = await page.evaluate(() => document.documentElement.scrollHeight)
  const field = page.getByRole('combobox', { name: 'Add series' })
  await field.fill('press/load')
  await field.press('Enter')
  await expect(page.locator('.legend li')).toHaveCount(2)
  await expect(page.getByRole('region', { name: 'Figures' }).getByRole('row')).toHaveCount(3)
  const seen = await page.evaluate(() => (window as unknown as { seen: Record<string, number> }).seen)
  expect(seen, `of ${height} px`).toEqual({ least: expect.any(Number), charts: 1, empty: 0 })
  expect(seen.least, 'nothing collapses').toBeGreaterThanOrEqual(height)
})
