// Data that nobody would invent, and somebody sends: the ends of what numbers can be, names without end, in other scripts.
import { expect, held, logIn, test } from './fixtures'
import type { Reading } from './sender'

const OVEN = 'kitchen 🍳/oven/№1'
const LONG = `gateway-${'building-'.repeat(20)}7`

interface Sent extends Omit<Reading, 'value'> {
  value: Reading['value'] | bigint
}

/** Sixty readings, one each half a minute up to now. */
function line(
  device: string,
  metric: string,
  value: (i: number) => Sent['value'],
  rest: Partial<Sent> = {},
): Reading[] {
  const now = Date.now()
  const sent = Array.from({ length: 60 }, (_, i): Sent => {
    return {
      device,
      metric,
      value: value(i),
      time: now - (60 - i) * 30_000,
      ...rest,
    }
  })
  // An integer beyond 2^53 is a bigint to the encoder, which the type of a reading does not say.
  return sent as Reading[]
}

const ODD: readonly Reading[][] = [
  line(OVEN, 'both ends', (i) => (i % 2 === 0 ? 1.7e308 : -1.7e308)),
  line(OVEN, 'tiny', (i) => 5e-320 * (1 + i)),
  line(OVEN, 'huge', (i) => 1.2e300 * (1 + i / 60)),
  line(OVEN, 'largest', () => 9_223_372_036_854_775_807n),
  line(OVEN, 'ids', (i) => 9_007_199_254_740_993n + BigInt(i), {
    unit: 'pulses',
  }),
  line(OVEN, 'zero', () => 0, { unit: 'A' }),
  line(OVEN, 'very.long.'.repeat(20).slice(0, 200), (i) => i % 7, {
    unit: 'a unit that is far too long to be one',
  }),
  line(OVEN, 'fan', (i) => i % 9, { unit: 'rpm', labels: { side: 'left' } }),
  line(OVEN, 'fan', (i) => 9 + (i % 9), {
    unit: 'rpm',
    labels: { side: 'مروحة' },
  }),
  line('مضخة المياه-٣', 'ضغط', (i) => i, { unit: 'bar' }),
  line(LONG, 'temperature', (i) => 20 + (i % 3), { unit: '°C' }),
]

for (const width of [360, 1280]) {
  test(`numbers at their ends and names without end, on ${width} px: all is drawn, told apart, and in view`, async ({
    page,
    hub,
    sender,
  }) => {
    for (const readings of ODD) await sender.send(...readings)
    await page.setViewportSize({ width, height: 4_000 })
    await logIn(page, hub)
    await page.goto(`${hub.url}/#/device/${encodeURIComponent(OVEN)}?range=1h`)
    await expect(page.locator('.plot:not([data-empty])')).toHaveCount(8)
    expect((await held(page, OVEN, 'tiny'))?.points.length).toBeGreaterThan(0)
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(width)
    const narrow = await page
      .locator('.plot .u-over')
      .evaluateAll((all) => Math.min(...all.map((one) => one.clientWidth)))
    expect(narrow, 'no axis takes more than half of a chart').toBeGreaterThan(140)
    // What a browser may have rounded says so under the crosshair.
    const card = page.locator('.card').filter({ has: page.getByRole('heading', { name: 'ids' }) })
    await card.locator('.u-over').hover()
    await expect(card.locator('.figure')).toContainText(/≈ 900719925474\d{4} pulses/)

    await page.goto(`${hub.url}/#/explore?select=*%2F*&range=1h`)
    await expect(page.getByRole('heading', { name: `${OVEN}/fan` })).toBeVisible()
    await expect(page.locator('.legend').filter({ hasText: 'rpm' }).locator('.legend-label')).toHaveText([
      'left',
      'مروحة',
    ])
    const table = page.getByRole('region', { name: 'Figures' })
    const count = table
      .getByRole('row', { name: /temperature/ })
      .getByRole('cell')
      .first()
    await expect(count).toHaveText('60')
    const right = await count.evaluate((cell) => cell.getBoundingClientRect().right)
    expect(right, 'figures stand beside the longest name').toBeLessThan(width)
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(width)
  })
}
