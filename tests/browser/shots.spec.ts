// Pictures of the page with data, for people to look at: shots/ after each run, and the README's three by UPDATE_SCREENSHOT=1.
import type { Page } from '@playwright/test'
import { expect, logIn, test } from './fixtures'
import type { Hub } from './hub'
import type { Reading, Sender } from './sender'

/** A quarter of an hour of a small plant. */
async function fill(sender: Sender, now: number): Promise<void> {
  const wave = (t: number, minutes: number, phase = 0) => Math.sin((t / minutes / 60_000) * 2 * Math.PI + phase)
  const readings: Reading[] = []
  for (let t = now - 15 * 60_000; t < now; t += 2_000) {
    const add = (device: string, metric: string, value: Reading['value'], rest: Partial<Reading> = {}) =>
      readings.push({ device, metric, value, time: t, ...rest })
    for (const i of [0, 1, 2, 3]) {
      const value = Math.round((31 + 17 * wave(t, 6, i) + 8 * wave(t, 0.7, i * 3)) * 10) / 10
      add('gateway-1', 'cpu.usage', value, { unit: '%', labels: { cpu: `cpu${i}` } })
    }
    add('gateway-1', 'memory.used', Math.round(2.3e9 + 2e8 * wave(t, 9)), { unit: 'B' })
    add('gateway-1', 'net.received', Math.round((t - now) * 180 + 4e8 + 2e6 * wave(t, 3)), {
      unit: 'B',
      kind: 'counter',
    })
    const late = t > now - 8 * 60_000 && t < now - 6 * 60_000
    if (!late) add('boiler', 'temperature', Math.round((61 + 2.4 * wave(t, 8)) * 100) / 100, { unit: '°C' })
    add('boiler', 'pressure', Math.round((4.2 + 0.3 * wave(t, 5, 1)) * 100) / 100, { unit: 'bar' })
    add('boiler', 'power', Math.round(2400 + 800 * wave(t, 4)), { unit: 'W' })
    add('boiler', 'pump.running', wave(t, 5) > -0.3)
    add('boiler', 'mode', wave(t, 11) > 0 ? 'heating' : wave(t, 4) > 0.6 ? 'defrost' : 'idle')
  }
  await sender.send(...readings)
}

test('pictures', async ({ page, hub, sender }) => {
  await fill(sender, Date.now())
  await logIn(page, hub)
  await expect(page.getByRole('link', { name: /boiler/ })).toBeVisible()
  const widths = () => page.evaluate(() => [document.documentElement.scrollWidth, innerWidth] as const)
  const shoot = async (name: string) => {
    await page.screenshot({ path: `shots/${name}.png` })
    const [content, window] = await widths()
    expect(content, `${name} does not scroll sideways`).toBeLessThanOrEqual(window)
  }
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme })
    for (const [size, width] of [
      ['wide', 1280],
      ['phone', 360],
    ] as const) {
      await page.setViewportSize({ width, height: width === 360 ? 740 : 860 })
      await page.goto(`${hub.url}/#/`)
      await expect(page.getByRole('link', { name: /boiler/ })).toContainText('bar')
      await shoot(`devices-${size}-${colorScheme}`)
      for (const device of ['boiler', 'gateway-1']) {
        await page.goto(`${hub.url}/#/device/${device}`)
        await expect(page.locator('.plot:not([data-empty]) canvas').first()).toBeVisible()
        await expect(page.locator('.figure b').first()).toBeVisible()
        await shoot(`${device}-${size}-${colorScheme}`)
      }
    }
  }
  await page.emulateMedia({ colorScheme: 'light' })
  await page.setViewportSize({ width: 1280, height: 720 })
  await page.goto(`${hub.url}/#/device/boiler`)
  await expect(page.locator('.plot:not([data-empty]) canvas')).toHaveCount(3)
  await readmePictures(page, hub)
})

/** The README's: light, dark and on a phone. */
async function readmePictures(page: Page, hub: Hub): Promise<void> {
  if (process.env.UPDATE_SCREENSHOT !== '1') return
  const shoot = async (name: string) => {
    // What a theme changed is drawn in the next frames.
    await page.evaluate(() => new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn))))
    await page.screenshot({ path: `../../dashboards/${name}.png` })
  }
  await shoot('screenshot')
  await page.emulateMedia({ colorScheme: 'dark' })
  await page.goto(`${hub.url}/#/explore?select=boiler%2Ftemperature&select=boiler%2Fpressure&axes=2`)
  await expect(page.locator('.plot:not([data-empty]) canvas')).toHaveCount(1)
  await expect(page.getByRole('region', { name: 'Figures' }).getByRole('row')).toHaveCount(3)
  await shoot('screenshot-dark')
  await page.setViewportSize({ width: 360, height: 740 })
  await page.goto(`${hub.url}/#/device/gateway-1`)
  await expect(page.locator('.plot:not([data-empty]) canvas').first()).toBeVisible()
  await shoot('screenshot-phone')
}
