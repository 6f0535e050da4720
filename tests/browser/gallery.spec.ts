// Each widget with fixed data, of the gallery that `make ui-gallery` serves: what is handed to uPlot, what its axes say, what
// stands in the page; and pictures of all of it in shots/, for people to look at. Needs no hub.
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { AxeBuilder } from '@axe-core/playwright'
import { test as base, expect, type Locator, type Page } from '@playwright/test'
import { NOW, outdoor, readings } from '../../dashboards/gallery/plant'

const PAGE = resolve(import.meta.dirname, '../../dashboards')
const ADDRESS = 'http://gallery.test'
const MINUTE = 60_000
/** Those of the gallery that are neither empty nor refused. */
const CHARTS = 9
/** The height of a picture. */
const PART = 1_800

const test = base.extend({
  // The built files straight from the disk: no server, no port.
  page: async ({ page }, use) => {
    const complaints: string[] = []
    page.on('pageerror', (error) => complaints.push(error.stack ?? error.message))
    page.on('console', (message) => {
      if (message.type() === 'error') complaints.push(message.text())
    })
    await page.route(`${ADDRESS}/**`, async (route) => {
      const { pathname } = new URL(route.request().url())
      const path = join(PAGE, 'gallery/dist', pathname === '/' ? 'index.html' : pathname)
      await (existsSync(path) ? route.fulfill({ path }) : route.fulfill({ status: 204 }))
    })
    await use(page)
    expect(complaints, 'errors in the console').toEqual([])
  },
})

test.beforeAll(async () => {
  test.setTimeout(120_000)
  await promisify(execFile)('npm', ['run', '--silent', 'gallery:build'], { cwd: PAGE })
})

/** One widget alone, drawn. */
async function show(page: Page, name: string, drawn = true): Promise<Locator> {
  await page.goto(`${ADDRESS}/?only=${name}`)
  const shown = page.locator(`#${name}`)
  if (drawn) await expect(shown.locator('.plot:not([data-empty]) canvas')).toBeVisible()
  return shown
}

/** All of them, so high that all charts are in view and therefore drawn; of the long list, which is last but for whole screens, a bit. */
async function showAll(page: Page, query: string, width = 1280): Promise<void> {
  await page.setViewportSize({ width, height: 2_000 })
  await page.goto(`${ADDRESS}/${query}`)
  const list = page.locator('#list')
  await expect(list).toBeAttached()
  const height = await list.evaluate((element) => (element as HTMLElement).offsetTop)
  await page.setViewportSize({ width, height: height + 900 })
  await expect(page.locator('#figures td').first()).toBeVisible()
  await expect(page.locator('.plot:not([data-empty]) canvas')).toHaveCount(CHARTS)
}

/** Of all that is in view, in parts that can be looked at. */
async function shoot(page: Page, name: string): Promise<void> {
  const { width = 0, height = 0 } = page.viewportSize() ?? {}
  for (let y = 0; y < height; y += PART) {
    const clip = { x: 0, y, width, height: Math.min(PART, height - y) }
    await page.screenshot({ path: `shots/${name}-${1 + y / PART}.png`, clip })
  }
}

interface Drawn {
  times: number[]
  columns: (number | null | undefined)[][]
  axes: string[][]
  strokes: string[]
  bands: number[][]
  width: number
}

/** What the chart of a specimen was given, and what it made of it. */
async function drawn(page: Page, name: string): Promise<Drawn> {
  return page.locator(`#${name} .uplot`).evaluate((element) => {
    interface Plot {
      data: [number[], ...(number | null | undefined)[][]]
      axes: { _values: string[] | null }[]
      series: { stroke?: (plot: Plot, i: number) => string }[]
      bands?: { series: number[] }[]
      width: number
    }
    const plot = (element as unknown as { drawnBy: Plot }).drawnBy
    const [times, ...columns] = plot.data
    return {
      times: [...times],
      columns: columns.map((column) => [...column]),
      axes: plot.axes.map(({ _values }) => [...(_values ?? [])]),
      strokes: plot.series.slice(1).map(({ stroke }, i) => (typeof stroke === 'function' ? stroke(plot, i + 1) : '')),
      bands: (plot.bands ?? []).map(({ series }) => [...series]),
      width: plot.width,
    }
  })
}

const known = (column: Drawn['columns'][number] = []) => column.filter((value) => typeof value === 'number')

test('a line with a gap is broken there, its axes speak of time and unit', async ({ page }) => {
  const gap = await show(page, 'gap')
  const { times, columns, axes } = await drawn(page, 'gap')
  expect(times[0]).toBeCloseTo((NOW - 15 * MINUTE) / 1000, -1)
  expect(times.at(-1)).toBeCloseTo(NOW / 1000, -1)
  const silent = times.filter((time) => time > (NOW - 9 * MINUTE) / 1000 && time < (NOW - 6 * MINUTE - 2_000) / 1000)
  const inside = silent.map((time) => columns[0]?.[times.indexOf(time)])
  expect(inside.length, 'the line is broken').toBeGreaterThan(0)
  expect(
    inside.every((value) => value === null),
    'and nothing is drawn through the silence',
  ).toBe(true)
  const values = known(columns[0])
  expect([Math.min(...values), Math.max(...values)]).toEqual([58.6, 63.4])
  expect(axes[0]).toContain('13:50')
  expect(axes[1]).toContain('60 °C')
  await expect(gap.locator('.figure')).toHaveText(/^\s*\d\d\.\d+ °C$/)
})

test('a line gone silent is called stale, and the silence has a place', async ({ page }) => {
  const stale = await show(page, 'stale')
  await expect(stale.locator('.tag.badge')).toHaveText('stale since 13:54:58')
  const { times } = await drawn(page, 'stale')
  expect(times.at(-1)).toBe((NOW - 5 * MINUTE - 2_000) / 1000)
  await stale.locator('.u-over').hover({ position: { x: 10, y: 60 } })
  await expect(stale.locator('.figure')).toContainText('°C')
  const box = await stale.locator('.u-over').boundingBox()
  await page.mouse.move((box?.x ?? 0) + (box?.width ?? 0) * 0.9, (box?.y ?? 0) + 60)
  await expect(stale.locator('.figure')).toHaveText('no data since 13:54:58')
  const gap = await show(page, 'gap')
  await expect(gap.locator('.tag.badge')).toHaveCount(0)
})

test('behind means stands a band from the lowest to the highest', async ({ page }) => {
  const shown = await show(page, 'spread')
  const { columns, bands } = await drawn(page, 'spread')
  expect(columns).toHaveLength(3)
  expect(bands).toEqual([[3, 2]])
  const [means = [], low = [], high = []] = columns.map((column) => known(column))
  // Those of the day, and the one before, so that the line reaches the edge.
  expect([means.length, low.length, high.length]).toEqual([97, 97, 97])
  expect(means.every((mean, i) => (low[i] ?? mean) < mean && mean < (high[i] ?? mean))).toBe(true)
  await expect(shown).toContainText('band: lowest to highest')
})

test('late readings are drawn in their place', async ({ page }) => {
  await show(page, 'late')
  const during = ({ times, columns }: Drawn) =>
    times.filter((time, i) => {
      const at = time * 1000 - NOW
      return at >= -9 * MINUTE && at < -7 * MINUTE && typeof columns[0]?.[i] === 'number'
    }).length
  const before = await drawn(page, 'late')
  expect(during(before)).toBe(0)
  await page.getByRole('button', { name: 'arrive late' }).click()
  await expect.poll(async () => during(await drawn(page, 'late'))).toBe(60)
  const after = await drawn(page, 'late')
  expect(known(after.columns[0]).length - known(before.columns[0]).length).toBe(60)
})

test('a thinned day keeps its least and its greatest', async ({ page }) => {
  await show(page, 'band')
  const { times, columns, axes } = await drawn(page, 'band')
  const values = columns.flatMap((column) => known(column))
  const day = readings(outdoor, NOW - 24 * 60 * MINUTE, NOW).map(([, value]) => Number(value))
  expect(day).toHaveLength(8_640)
  expect(times.length).toBeLessThan(4_000)
  expect(values).toContain(Math.min(...day))
  expect(values).toContain(Math.max(...day))
  expect(axes[0]?.filter((text) => text !== '')).toContain('30 Nov')
  expect(axes[1]).toContain('10 °C')
})

test('eight lines have eight colours and a legend that switches them', async ({ page }) => {
  const lines = await show(page, 'lines')
  const { columns, strokes, axes } = await drawn(page, 'lines')
  expect(columns.length).toBeGreaterThanOrEqual(8)
  expect(new Set(strokes.slice(0, 8)).size).toBe(8)
  expect(axes[1]).toContain('50 %')
  const legend = lines.locator('.legend')
  await expect(legend.getByRole('button')).toHaveCount(8)
  const cpu3 = legend.getByRole('button', { name: /cpu3/ })
  await expect(cpu3).toHaveText(/cpu3\s*\d+\.?\d* %/)
  await cpu3.click()
  await expect(cpu3).toHaveAttribute('aria-pressed', 'false')
})

test('what cannot be told apart is not drawn but counted', async ({ page }) => {
  const many = await show(page, 'many')
  expect((await drawn(page, 'many')).columns).toHaveLength(32)
  await expect(many).toContainText('8 more series are not drawn')
})

test('an empty chart and a refused one say why', async ({ page }) => {
  const empty = await show(page, 'empty', false)
  await expect(empty.locator('.plot')).toHaveAttribute('data-empty', 'known')
  const said = empty.locator('.plot').evaluate((element) => getComputedStyle(element, '::after').content)
  expect(await said).toContain('No reading in this time')
  const refused = await show(page, 'refused', false)
  await expect(refused.locator('.card-error')).toHaveText(
    'History cannot be read: the disk does not answer. It is tried again every few seconds.',
  )
})

test('a counter is drawn as a rate, broken where it began anew; buckets with the day before behind', async ({
  page,
}) => {
  await show(page, 'counter')
  const counter = await drawn(page, 'counter')
  const values = known(counter.columns[0])
  expect(Math.min(...values)).toBeGreaterThan(0)
  expect(Math.max(...values)).toBeLessThan(400_000)
  expect(counter.columns[0]?.filter((value) => value === null)).toHaveLength(1)
  expect(counter.axes[1]?.some((text) => text.endsWith('KiB/s'))).toBe(true)
  const shown = await show(page, 'buckets')
  const buckets = await drawn(page, 'buckets')
  expect(buckets.columns).toHaveLength(2)
  expect(buckets.times.some((time) => time % 900 !== 0)).toBe(false)
  await expect(shown).toContainText('mean of 15m')
  await expect(shown).toContainText('dashed: the day before')
})

test('timelines and figures as words', async ({ page }) => {
  const states = await show(page, 'states', false)
  await expect(states.locator('.state-row')).toHaveCount(3)
  await expect(states.locator('.state-row').filter({ hasText: 'pump.running' })).toContainText(/(on|off)\s*since/)
  await expect(states.getByRole('img', { name: 'Timeline of mode' })).toBeVisible()
  const figures = await show(page, 'figures', false)
  const row = figures.getByRole('row', { name: /boiler\/temperature/ })
  // Count, least, mean, greatest, first, last, of 12 minutes at one each two seconds.
  await expect(row).toHaveText(/boiler\/temperature\s*36058\.6 °C6\d\.\d+ °C63\.4 °C/)
})

test('states, connections, ranges, commands and screens as words', async ({ page }) => {
  const state = await show(page, 'state', false)
  await expect(state.locator('.state')).toHaveText(['online', 'silent', 'unreachable', 'unknown'])
  const connections = await show(page, 'connection', false)
  await expect(connections.locator('.pill')).toHaveText([
    'Not connected',
    'Connecting',
    'Live',
    'No answer for 21 s',
    'Closing',
    /Reconnecting in 7 s\s*now/,
    'Reconnecting',
    'Logged out',
  ])
  const range = await show(page, 'range', false)
  await expect(range.locator('.range-bar').nth(1)).toContainText('Yesterday')
  await expect(await show(page, 'command', false)).toContainText('telltale token create')
  const welcome = await show(page, 'welcome', false)
  await expect(welcome.getByRole('heading', { level: 1 })).toHaveText('No readings yet')
  const login = await show(page, 'login', false)
  await expect(login.getByRole('alert')).toContainText('This code is not known.')
})

test('sparks are lines between their ends, and a gap breaks them', async ({ page }) => {
  const paths = (await show(page, 'sparks', false)).locator('path')
  await expect(paths).toHaveCount(3)
  const moves = async (i: number) => ((await paths.nth(i).getAttribute('d')) ?? '').split('M').length - 1
  expect([await moves(0), await moves(1), await moves(2)]).toEqual([1, 2, 1])
  const stats = await show(page, 'stats', false)
  await expect(stats.getByRole('region', { name: 'Commit to disk' })).toContainText('1.84 ms')
})

test('of a long list only the rows in view are there, wherever it is scrolled to', async ({ page }) => {
  const rows = (await show(page, 'list', false)).locator('.row')
  await expect(rows.first()).toContainText('Pump 1, north hall')
  const height = () => page.evaluate(() => document.body.scrollHeight)
  await expect.poll(height, 'there is room for all of them').toBeGreaterThan(2_000 * 45)
  expect(await rows.count()).toBeLessThan(40)
  await page.evaluate(() => scrollTo(0, document.body.scrollHeight / 2))
  await expect(rows.filter({ hasText: 'pump-1000' })).toBeVisible()
  expect(await rows.count()).toBeLessThan(40)
  await expect(rows.first()).toHaveAttribute('aria-setsize', '2000')
})

test('whoever goes by keys sees where they are', async ({ page }) => {
  await showAll(page, '')
  const count = await page.evaluate(() => {
    const outlines: Record<string, string> = {}
    Object.assign(window, { outlines })
    document.addEventListener('focusin', ({ target }) => {
      const element = target as Element
      const { outlineStyle, outlineWidth } = getComputedStyle(element)
      const name = `${element.tagName} ${element.className} in ${element.closest('section.specimen')?.id ?? 'head'}`
      outlines[name] = `${outlineStyle} ${outlineWidth}`
    })
    const all = [...document.querySelectorAll('a, button:enabled, input, select, textarea, summary, [tabindex="0"]')]
    return all.filter((element) => element.checkVisibility() && element.closest('#list') === null).length
  })
  for (let i = 0; i < count; i += 1) await page.keyboard.press('Tab')
  const outlines = await page.evaluate(() => (window as unknown as { outlines: Record<string, string> }).outlines)
  expect(Object.keys(outlines).length, 'many kinds of elements took the focus').toBeGreaterThan(25)
  expect(Object.entries(outlines).filter(([, outline]) => outline !== 'solid 2px')).toEqual([])
})

test('forced colours: lines keep theirs, what is pressed and what state it is can be seen', async ({ page }) => {
  await page.emulateMedia({ forcedColors: 'active' })
  await showAll(page, '')
  const { strokes } = await drawn(page, 'lines')
  expect(new Set(strokes).size).toBe(8)
  const dots = page.locator('#state .dot')
  const colours = await dots.evaluateAll((all) => all.map((dot) => getComputedStyle(dot).backgroundColor))
  expect(new Set(colours).size).toBe(4)
  const background = (is: boolean) =>
    page
      .locator(`#range .segments button[aria-pressed="${is}"]`)
      .first()
      .evaluate((button) => getComputedStyle(button).backgroundColor)
  expect(await background(true)).not.toBe(await background(false))
  await shoot(page, 'gallery-forced')
})

test('less motion: nothing pulses', async ({ page }) => {
  await page.emulateMedia({ reducedMotion: 'no-preference' })
  const dot = (await show(page, 'connection', false)).locator('.pill.tone-wait .dot').first()
  const pulse = () => dot.evaluate((element) => getComputedStyle(element).animationName)
  expect(await pulse()).toBe('breathe')
  await page.emulateMedia({ reducedMotion: 'reduce' })
  expect(await pulse()).toBe('none')
})

for (const [name, query, width] of [
  ['light', '?theme=light', 1280],
  ['dark', '?theme=dark', 1280],
  ['phone', '?theme=light', 360],
  ['phone-dark', '?theme=dark', 360],
] as const) {
  test(`pictures in ${name}, and nothing serious for axe in them`, async ({ page }) => {
    test.setTimeout(240_000)
    await showAll(page, query, width)
    await page.locator('#range .range-box summary').first().click()
    await shoot(page, `gallery-${name}`)
    const [content, window] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth] as const)
    expect(content, 'it does not scroll sideways').toBeLessThanOrEqual(window)
    const { violations } = await new AxeBuilder({ page }).analyze()
    const serious = violations.filter(({ impact }) => impact === 'serious' || impact === 'critical')
    const told = serious.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.target.join(' ')).join(', ')}`)
    expect(told).toEqual([])
  })
}
