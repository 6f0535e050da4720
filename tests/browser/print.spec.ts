// A page of charts on paper: white, without controls, with what the controls would have told, whatever the theme on the screen.
import { expect, logIn, test } from './fixtures'
import type { Reading } from './sender'

function readings(now: number): Reading[] {
  const all: Reading[] = []
  for (let t = now - 15 * 60_000; t < now; t += 2_000) {
    for (const i of [0, 1]) {
      const value = Math.round(1000 * (30 + 20 * i + 8 * Math.sin(t / 60_000 + i))) / 1000
      all.push({ device: 'press', metric: 'cpu', value, unit: '%', labels: { cpu: `cpu${i}` }, time: t })
    }
    all.push({ device: 'press', metric: 'running', value: Math.floor(t / 120_000) % 2 === 0, time: t })
  }
  return all
}

test('a chart page in the dark theme prints light, with range, zone and legend, without controls', async ({
  page,
  hub,
  sender,
}) => {
  await sender.send(...readings(Date.now()))
  await page.emulateMedia({ colorScheme: 'dark' })
  await logIn(page, hub)
  await page.evaluate(() => localStorage.setItem('telltale.zone', 'Europe/Berlin'))
  await page.goto(`${hub.url}/#/device/press?range=5m`)
  await page.reload()
  await expect(page.locator('.plot:not([data-empty]) canvas')).toHaveCount(1)

  /** Of the pixels that are wholly coloured, how many are nearer to the line's colour on white than to that on black. */
  const lightPixels = () =>
    page.locator('.plot canvas').evaluate((element) => {
      const canvas = element as HTMLCanvasElement
      const { data } = canvas.getContext('2d')?.getImageData(0, 0, canvas.width, canvas.height) ?? { data: [] }
      const away = (i: number, colour: readonly number[]) =>
        colour.reduce((sum, part, at) => sum + Math.abs(part - (data[i + at] ?? 0)), 0)
      const counts = { light: 0, dark: 0 }
      for (let i = 0; i < data.length; i += 4) {
        if ((data[i + 3] ?? 0) < 240) continue
        if (away(i, [0, 87, 138]) < 60) counts.light += 1
        if (away(i, [62, 153, 220]) < 60) counts.dark += 1
      }
      return counts.light > counts.dark && counts.light > 50 ? 'light' : counts.dark > 50 ? 'dark' : 'none'
    })
  await expect.poll(lightPixels).toBe('dark')

  await page.emulateMedia({ colorScheme: 'dark', media: 'print' })
  const background = (selector: string) =>
    page
      .locator(selector)
      .first()
      .evaluate((element) => getComputedStyle(element).backgroundColor)
  expect(await background('html')).toBe('rgb(255, 255, 255)')
  expect(await background('.card')).toBe('rgb(255, 255, 255)')
  await expect.poll(lightPixels).toBe('light')
  await expect(page.getByRole('heading', { name: 'press' })).toBeVisible()
  await expect(page.locator('.print-head p').first()).toHaveText(
    /^\d+ \w{3} \d{4} \d\d:\d\d:\d\d to \d+ \w{3} \d{4} \d\d:\d\d:\d\d, Europe\/Berlin \(UTC\+0[12]:00\)$/,
  )
  await expect(page.locator('.legend li')).toHaveText([/cpu0\s*[\d.]+ %/, /cpu1\s*[\d.]+ %/])
  await expect(page.locator('.legend li').first()).toBeVisible()
  for (const control of ['.head', '.range-bar', '.crumb a', '.device-notes button']) {
    await expect(page.locator(control).first(), control).toBeHidden()
  }
  // As wide as the paper, not as the screen was.
  const widths = await page.locator('.card .plot').evaluate((plot) => {
    const canvas = plot.querySelector('canvas')
    return [
      plot.clientWidth,
      Math.round(canvas?.getBoundingClientRect().width ?? 0),
      document.body.scrollWidth,
    ] as const
  })
  expect(widths[1]).toBe(widths[0])
  expect(widths[0]).toBeGreaterThan(600)
  expect(widths[0]).toBeLessThan(720)
  await page.screenshot({ path: 'shots/print.png', fullPage: true })

  await page.emulateMedia({ colorScheme: 'dark', media: 'screen' })
  await expect(page.locator('.range-bar')).toBeVisible()
  await expect(page.locator('.print-head')).toHaveCount(0)
  await expect.poll(lightPixels, 'on the screen it is dark again').toBe('dark')
})

test('what the browser prints is what was prepared for it', async ({ page, hub, sender }) => {
  await sender.send(...readings(Date.now()))
  await page.emulateMedia({ colorScheme: 'dark' })
  await logIn(page, hub)
  await page.getByRole('link', { name: /press/ }).click()
  await expect(page.locator('.plot:not([data-empty]) canvas')).toHaveCount(1)
  await page.evaluate(() => {
    // After the page's own listener, when the paper is laid out.
    matchMedia('print').addEventListener('change', ({ matches }) => {
      const head = document.querySelector('.print-head')?.textContent ?? ''
      if (matches) Object.assign(window, { printed: `${getComputedStyle(document.body).color} ${head}` })
    })
  })
  const pdf = await page.pdf({ path: 'shots/print.pdf', format: 'A4', printBackground: false })
  expect(pdf.subarray(0, 5).toString()).toBe('%PDF-')
  const printed = await page.evaluate(() => (window as unknown as { printed?: string }).printed)
  expect(printed).toMatch(/^rgb\(29, 40, 48\) .* to .*Telltale at 127\.0\.0\.1/)
})

test('a printed list says what it was filtered by, and has no controls', async ({ page, hub, sender }) => {
  const now = Date.now()
  await sender.send(
    ...['north', 'south'].map((device) => ({ device, metric: 'power', value: 1, unit: 'W', time: now - 5_000 })),
  )
  await logIn(page, hub)
  await page.evaluate(async () => {
    const body = JSON.stringify({ attributes: { site: 'North' } })
    await fetch('api/v1/devices/north', { method: 'PATCH', headers: { 'content-type': 'application/json' }, body })
  })
  await page.goto(`${hub.url}/#/?where=site%3DNorth&form=tiles`)
  await page.reload()
  await expect(page.locator('.tile')).toHaveCount(1)
  await page.emulateMedia({ media: 'print' })
  await expect(page.locator('.filter-chip')).toBeVisible()
  await expect(page.locator('.filter-chip')).toHaveText(/site North/)
  await expect(page.locator('.tile')).toBeVisible()
  for (const control of ['.head', '.bar input', '.bar .segments', '.bar select', '.device-filters select']) {
    for (const one of await page.locator(control).all()) await expect(one, control).toBeHidden()
  }
})
