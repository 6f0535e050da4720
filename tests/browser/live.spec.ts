import { connection, expect, held, history, logIn, test } from './fixtures'

test('an empty hub says what to do next and fills by itself', async ({ page, hub, sender }) => {
  await logIn(page, hub)
  await expect(page.getByRole('heading', { name: 'No readings yet' })).toBeVisible()
  await expect(page.getByText('telltale token create --role agent')).toBeVisible()
  await page.setViewportSize({ width: 360, height: 740 })
  for (const way of ['This machine', 'Python', 'Telegraf', 'curl', 'JSON lines']) {
    await page.getByRole('button', { name: way }).click()
    expect(await page.evaluate(() => document.documentElement.scrollWidth), `${way} on a phone`).toBe(360)
  }
  await sender.send({ device: 'desk', metric: 'temperature', value: 21.5, unit: '°C' })
  // Told by live, not by asking again in ten seconds.
  await expect(page.getByRole('link', { name: /desk/ })).toContainText('21.5 °C', { timeout: 5_000 })
})

test('a value is seen within a second of its being sent', async ({ page, hub, sender }) => {
  await sender.send({ device: 'pump', metric: 'pressure', value: 0, unit: 'bar' })
  await logIn(page, hub)
  await expect(page.getByRole('link', { name: /pump/ })).toContainText('0 bar')
  await page.evaluate(() => {
    const seen: Record<string, number> = {}
    Object.assign(window, { seen })
    new MutationObserver(() => {
      for (const cell of document.querySelectorAll('.value b')) seen[cell.textContent ?? ''] ??= Date.now()
    }).observe(document.body, { subtree: true, childList: true, characterData: true })
  })
  const delays: number[] = []
  for (let i = 1; i <= 15; i += 1) {
    const sentAt = Date.now()
    await sender.send({ device: 'pump', metric: 'pressure', value: i, unit: 'bar' })
    await page.waitForFunction((text) => text in (window as unknown as { seen: object }).seen, `${i} bar`)
    const seen = await page.evaluate(() => (window as unknown as { seen: Record<string, number> }).seen)
    delays.push((seen[`${i} bar`] ?? Number.NaN) - sentAt)
  }
  const sorted = [...delays].sort((a, b) => a - b)
  test.info().annotations.push({ type: 'delay ms, from sent to seen', description: delays.join(' ') })
  expect(sorted[7], `all delays: ${delays.join(' ')}`).toBeLessThan(1000)
})

test('the hub is killed: the state is shown, the picture stays, and the chart goes on without a hole', async ({
  page,
  hub,
  sender,
}) => {
  const began = Date.now()
  const acks: Promise<unknown>[] = []
  const sent: number[] = []
  let count = 0
  const beat = setInterval(() => {
    count += 1
    const time = Date.now()
    sent.push(time)
    acks.push(sender.send({ device: 'pump', metric: 'pressure', value: Math.sin(count / 5), unit: 'bar', time }))
  }, 100)
  try {
    await expect.poll(() => count).toBeGreaterThan(5)
    await logIn(page, hub)
    await page.getByRole('link', { name: /pump/ }).click()
    await expect.poll(async () => (await held(page, 'pump', 'pressure'))?.points.length ?? 0).toBeGreaterThan(30)

    await hub.kill('SIGKILL')
    await expect(connection(page)).toContainText('Reconnecting')
    await expect(page.getByText(/connection to the hub broke/)).toBeVisible()
    const before = (await held(page, 'pump', 'pressure'))?.points.length ?? 0
    expect(before, 'the picture stays').toBeGreaterThan(30)
    await page.screenshot({ path: 'shots/reconnecting.png' })
    await page.setViewportSize({ width: 360, height: 740 })
    const within = await page.evaluate(() => {
      const shown = [...document.querySelectorAll('.head *')].filter((one) => one.checkVisibility())
      return Math.max(...shown.map((one) => one.getBoundingClientRect().right))
    })
    expect(within, 'on a phone the head has room for what is told').toBeLessThanOrEqual(360)
    await page.setViewportSize({ width: 1280, height: 860 })
    const missed = count
    await expect.poll(() => count - missed).toBeGreaterThan(20)

    await hub.restart()
    await expect(connection(page)).toHaveText('Live')
    const after = count
    await expect.poll(() => count - after).toBeGreaterThan(20)
  } finally {
    clearInterval(beat)
  }
  await Promise.all(acks)

  await expect
    .poll(async () => (await held(page, 'pump', 'pressure'))?.points.length, { message: 'every reading sent is held' })
    .toBe(count)
  const store = await held(page, 'pump', 'pressure')
  expect(store?.points).toEqual(await history(page, 'pump/pressure', began - 1000))
  expect(
    store?.points.map(([time]) => time),
    'each that was sent, also while the hub was gone',
  ).toEqual(sent)
})

test('late and rewritten readings repair what the page holds', async ({ page, hub, sender }) => {
  const now = Date.now()
  const at = (s: number, value: number) => ({ device: 'pump', metric: 'level', value, unit: 'm', time: now - s * 1000 })
  await sender.send(at(60, 1), at(50, 2), at(10, 5))
  await logIn(page, hub)
  await page.getByRole('link', { name: /pump/ }).click()
  await expect.poll(async () => (await held(page, 'pump', 'level'))?.points.length).toBe(3)
  await sender.send(at(30, 3), at(20, 4))
  await sender.send(at(50, 2.5))
  const expected = [at(60, 1), at(50, 2.5), at(30, 3), at(20, 4), at(10, 5)].map(({ time, value }) => [time, value])
  await expect.poll(async () => (await held(page, 'pump', 'level'))?.points).toEqual(expected)
  expect(await history(page, 'pump/level', now - 120_000)).toEqual(expected)
})

test('names that mean something to a selector are shown as what they are', async ({ page, hub, sender }) => {
  const device = 'hall/4 *{a="b"}? 100%'
  await sender.send({ device, metric: 'a*b?{c}', value: 7, labels: { path: 'C:"x"*' }, unit: 'V' })
  await sender.send({ device: 'hall/4 other', metric: 'ab', value: 1 })
  await logIn(page, hub)
  await page.getByRole('link', { name: device }).click()
  await expect(page.getByRole('heading', { name: device })).toBeVisible()
  await expect(page.getByRole('heading', { name: 'a*b?{c}' })).toBeVisible()
  await expect(page.locator('.card')).toHaveCount(1)
  await page.getByRole('button', { name: '6h' }).click()
  await expect(page.locator('.figure')).toContainText('7 V')
  await expect(page.locator('.card-error')).toHaveCount(0)
})

test('older data comes from history, a drag zooms and the back button undoes it', async ({ page, hub, sender }) => {
  const now = Date.now()
  const old = Array.from({ length: 120 }, (_, i) => ({
    device: 'tank',
    metric: 'level',
    value: i % 7,
    unit: 'm',
    time: now - 50 * 60_000 + i * 10_000,
  }))
  await sender.send(...old)
  await logIn(page, hub)
  await page.getByRole('link', { name: /tank/ }).click()
  const plot = page.locator('.plot')
  await expect(plot).toHaveAttribute('data-empty')
  await expect(page.locator('.figure'), 'the last known value is older than the range').toContainText('0 m')
  await page.getByRole('button', { name: '1h' }).click()
  await expect(plot).not.toHaveAttribute('data-empty')

  const box = await plot.locator('.u-over').boundingBox()
  if (box === null) throw new Error('the chart has no drawing area')
  await page.mouse.move(box.x + box.width * 0.2, box.y + 50)
  await page.mouse.down()
  await page.mouse.move(box.x + box.width * 0.4, box.y + 50, { steps: 5 })
  await page.mouse.up()
  await expect(page).toHaveURL(/from=\d+&to=\d+/)
  const zoomed = new URLSearchParams(new URL(page.url()).hash.split('?')[1])
  const span = Number(zoomed.get('to')) - Number(zoomed.get('from'))
  expect(Math.abs(span - 12 * 60_000), 'a fifth of an hour, to a few pixels').toBeLessThan(60_000)
  await expect(plot).not.toHaveAttribute('data-empty')
  await page.goBack()
  await expect(page.getByRole('button', { name: '1h' })).toHaveAttribute('aria-pressed', 'true')
})
