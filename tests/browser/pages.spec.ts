import { expect, logIn, test } from './fixtures'
import type { Reading } from './sender'

const MINUTE = 60_000

/** Two rooms for two hours and one more day, one reading a minute. Half an hour ago it was coldest, whatever the time of day. */
function rooms(now: number): Reading[] {
  const readings: Reading[] = []
  for (let t = now - 26 * 60 * MINUTE; t < now; t += MINUTE) {
    for (const [i, device] of ['room-1', 'room-2'].entries()) {
      const value = Math.round((20 + i + 2 * Math.sin(((t - now) / MINUTE / 60) * Math.PI)) * 100) / 100
      readings.push({ device, metric: 'temperature', value, unit: '°C', time: t })
      readings.push({ device, metric: 'humidity', value: 40 + i, unit: '%', time: t })
      readings.push({ device, metric: 'window.open', value: Math.floor(t / MINUTE / 30) % 2 === i, time: t })
    }
  }
  return readings
}

test('explore: series beside each other, buckets, the day before, figures, a link that holds the view', async ({
  page,
  hub,
  sender,
}) => {
  const now = Date.now()
  await sender.send(...rooms(now))
  await logIn(page, hub)
  await page.getByRole('link', { name: 'Explore' }).click()
  const field = page.getByRole('combobox', { name: 'Add series' })
  await field.fill('room-1/hu')
  await expect(page.locator('datalist option[value^="room-1/humidity"]'), 'what there is, is offered').toHaveCount(1)
  await field.fill('room-*/temperature')
  await field.press('Enter')
  await expect(page.getByRole('combobox', { name: 'Series 1' }), 'the focus stays').toBeFocused()
  await expect(page.locator('.plot:not([data-empty])')).toHaveCount(1)
  await expect(page.locator('.legend li')).toHaveCount(2)

  await page.getByRole('button', { name: '1h', exact: true }).click()
  await page.getByLabel('Buckets').selectOption('5m')
  await page.getByLabel('Each shows').selectOption('max')
  await page.getByLabel('Compare with').selectOption({ label: 'the day before' })
  await expect(page.getByText('max of 5m')).toBeVisible()
  await expect(page.getByText('dashed: the day before')).toBeVisible()
  const figures = page.getByRole('region', { name: 'Figures' })
  await expect(figures.getByRole('row')).toHaveCount(3)
  await expect(figures.getByRole('row', { name: /room-1/ })).toContainText(/temperature\s*(59|60|61)18/)

  await expect(page).toHaveURL(/every=5m.*compare=1d/)
  const link = page.url()
  await page.screenshot({ path: 'shots/explore.png' })
  await page.goto(`${hub.url}/#/`)
  await page.goto(link)
  await expect(page.getByText('max of 5m')).toBeVisible()
  await expect(page.locator('.plot:not([data-empty])')).toHaveCount(1)

  const download = page.waitForEvent('download')
  await page.getByRole('link', { name: 'CSV' }).click()
  const file = await (await download).path()
  const { readFile } = await import('node:fs/promises')
  const lines = (await readFile(file, 'utf8')).trim().split('\n')
  expect(lines[0]).toContain('max')
  expect(lines.length).toBeGreaterThan(20)
})

test('a range is a day of the calendar in the zone that was chosen, exact times, and a walk by keys', async ({
  page,
  hub,
  sender,
}) => {
  await sender.send(...rooms(Date.now()))
  await logIn(page, hub)
  await page.getByRole('link', { name: /room-1/ }).click()
  const box = page.locator('.range-box summary')
  await box.click()
  await page.getByLabel('From', { exact: true }).fill('2026-01-02T03:04:05')
  await page.getByLabel('Time zone').selectOption('UTC')
  await expect(page.getByLabel('From', { exact: true }), 'what was typed stays').toHaveValue('2026-01-02T03:04:05')
  // The day may end while this is looked at.
  const midnight = () => `${new Date().toISOString().slice(0, 10)}T00:00`
  const before = midnight()
  await page.getByRole('button', { name: 'Yesterday' }).click()
  await expect(box).toContainText('Yesterday · UTC')
  await expect(page.locator('.plot:not([data-empty])').first()).toBeVisible()
  await page.screenshot({ path: 'shots/yesterday.png' })

  await box.click()
  await expect(page.getByLabel('To', { exact: true })).toHaveValue(
    new RegExp([before, midnight()].map((time) => `^${time}(:00)?$`).join('|')),
  )
  await page.getByLabel('From', { exact: true }).fill('2026-01-02T03:04:05')
  await page.getByLabel('To', { exact: true }).fill('2026-01-02T03:04:04')
  await page.getByRole('button', { name: 'Show' }).click()
  await expect(page.getByRole('alert')).toHaveText('To must be later than From.')
  await page.screenshot({ path: 'shots/range-box.png' })
  await page.getByLabel('From', { exact: true }).fill('1902-01-02T03:04:05')
  await page.getByRole('button', { name: 'Show' }).click()
  await expect(page.getByRole('alert')).toHaveText('At most 50 years are shown.')
  await page.getByLabel('From', { exact: true }).fill('2026-01-02T03:04:05')
  await page.getByLabel('To', { exact: true }).fill('2026-01-02T04:04:05')
  await page.getByRole('button', { name: 'Show' }).click()
  const from = Date.UTC(2026, 0, 2, 3, 4, 5)
  await expect(page).toHaveURL(new RegExp(`from=${from}&to=${from + 60 * MINUTE}`))

  await box.click()
  const last = page.getByLabel('The last')
  await last.fill('soon')
  await last.press('Enter')
  await expect(page.getByRole('alert')).toContainText('A length such as 90m')
  await last.fill('3h')
  await last.press('Enter')
  await expect(page).toHaveURL(/range=3h/)
  await expect(box).toContainText('Last 3h')
  await page.goto(`${hub.url}/#/device/room-1?from=${from}&to=${from + 60 * MINUTE}`)
  await page.locator('.plot').first().focus()
  await page.keyboard.press('ArrowRight')
  await expect(page).toHaveURL(new RegExp(`from=${from + 15 * MINUTE}&`))
  await page.keyboard.press('-')
  await expect(page).toHaveURL(new RegExp(`from=${from - 15 * MINUTE}&to=${from + 105 * MINUTE}`))
  await page.getByRole('button', { name: 'Back to live' }).click()
  await expect(box, 'what slid last').toContainText('Last 3h')
})

test('status: what comes in, refusals with their reasons, tokens made and revoked', async ({
  page,
  hub,
  sender,
  complaints,
}) => {
  await sender.send(...rooms(Date.now()))
  await expect(sender.send({ device: 'room-1', metric: 'temperature', value: 'warm' })).rejects.toThrow('type_changed')
  await logIn(page, hub)
  await page.getByRole('link', { name: 'Status' }).click()
  await expect(page.getByRole('region', { name: 'Readiness' })).toContainText('Readings are taken')
  await expect(page.getByRole('region', { name: 'Readings stored' })).toContainText('since the start')
  await expect(page.getByRole('region', { name: 'Commit to disk' })).toContainText(
    /newest \d+: p50 .+, p99 .+, longest /,
  )
  await expect(page.getByRole('region', { name: 'Disk', exact: true })).toContainText(
    /free.*The hub takes .*not known yet/,
  )
  const from = page.getByRole('region', { name: 'Senders' }).getByRole('row', { name: /sender/ })
  await expect(from, 'it sent the readings of a day').toContainText(/sends readings of .*, 1 d ago/)
  const refused = page.getByRole('region', { name: 'Refused readings' })
  await expect(refused.getByRole('row', { name: /type_changed/ })).toContainText('room-1')

  const tokens = page.getByRole('region', { name: 'Tokens' })
  await tokens.getByLabel('Name').fill('roof')
  await tokens.getByLabel('Devices').fill('roof[')
  await tokens.getByLabel('Series').fill('no-slash')
  await tokens.getByRole('button', { name: 'Make a token' }).click()
  await expect(tokens.getByRole('alert')).toBeVisible()
  expect(complaints.splice(0), 'the browser tells of the refusal too').toEqual([expect.stringContaining('400')])
  await expect(tokens.getByLabel('Name'), 'what was typed stays').toHaveValue('roof')
  await tokens.getByLabel('Series').fill('')
  await tokens.getByRole('button', { name: 'Make a token' }).click()
  await expect(tokens.getByRole('row', { name: /roof/ })).toBeVisible()
  const secret = await tokens.locator('.made code').innerText()
  const asked = await fetch(`${hub.url}/api/v1/last?select=*/*`, { headers: { authorization: `Bearer ${secret}` } })
  expect(asked.status, 'an agent token may not read').toBe(403)
  await page.screenshot({ path: 'shots/status.png', fullPage: true })
  // By keys: a second press of the same one keeps the token, and who keeps it is where they were.
  const revoke = tokens.getByRole('button', { name: 'Revoke roof', exact: true })
  await revoke.focus()
  await page.keyboard.press('Enter')
  await expect(tokens.getByRole('button', { name: 'Keep' })).toBeFocused()
  await page.keyboard.press('Enter')
  await expect(revoke).toBeFocused()
  await revoke.click()
  await tokens.getByRole('button', { name: 'Revoke roof now' }).click()
  await expect(tokens.getByRole('row', { name: /roof/ })).toHaveCount(0)
})

test('what only an administrator may see is not offered to a viewer', async ({ page, hub, sender }) => {
  await sender.send({ device: 'pump', metric: 'pressure', value: 4.2 })
  await page.goto(hub.url)
  await page.getByLabel('Or paste a link or a token').fill(await hub.token('viewer', 'guest'))
  await page.getByRole('button', { name: 'Log in' }).click()
  await expect(page.getByRole('link', { name: 'Explore' })).toBeVisible()
  await expect(page.getByRole('link', { name: 'Status' })).toHaveCount(0)
})

test('a token that reaches nothing is told so, not how to send; what it reaches comes by itself', async ({
  page,
  hub,
  sender,
}) => {
  await sender.send({ device: 'pump', metric: 'pressure', value: 4.2, unit: 'bar' })
  const token = (await hub.cli('token', 'create', '--role', 'viewer', '--name', 'roof', '--devices', 'roof-*')).trim()
  await page.goto(hub.url)
  await page.getByLabel('Or paste a link or a token').fill(token)
  await page.getByRole('button', { name: 'Log in' }).click()
  await expect(page.getByRole('heading', { name: 'No readings that you may see' })).toBeVisible()
  await expect(page.getByText('telltale token create')).toHaveCount(0)
  await sender.send({ device: 'roof-1', metric: 'wind', value: 7, unit: 'm/s' })
  await expect(page.getByRole('link', { name: /roof-1/ })).toContainText('7 m/s')
})

test('a token that a command made or revoked is in the list by itself, and one that is being asked for stays', async ({
  page,
  hub,
}) => {
  await logIn(page, hub)
  await page.goto(`${hub.url}/#/status`)
  const tokens = page.getByRole('region', { name: 'Tokens' })
  await tokens.getByLabel('Name').fill('half typed')
  await hub.token('viewer', 'elsewhere')
  await expect(tokens.getByRole('row', { name: /elsewhere/ })).toBeVisible({ timeout: 10_000 })
  await hub.revoke('elsewhere')
  await expect(tokens.getByRole('row', { name: /elsewhere/ })).toHaveCount(0, { timeout: 10_000 })
  await expect(tokens.getByLabel('Name')).toHaveValue('half typed')
})

test('a command is copied, also where the browser has no clipboard for the page', async ({ page, hub, context }) => {
  await context.grantPermissions(['clipboard-read', 'clipboard-write'], { origin: hub.url })
  await logIn(page, hub)
  const copy = page.locator('.command button').first()
  await copy.click()
  const command = 'telltale token create --role agent > agent.token'
  await expect.poll(() => page.evaluate(() => navigator.clipboard.readText())).toBe(command)
  // As on a page without TLS that came from another machine.
  await page.evaluate(async () => {
    await navigator.clipboard.writeText('')
    const { clipboard } = navigator
    Object.defineProperty(navigator, 'clipboard', { value: undefined, configurable: true })
    Object.assign(window, { clipboard })
  })
  await copy.click()
  const copied = () => page.evaluate(() => (window as unknown as { clipboard: Clipboard }).clipboard.readText())
  await expect.poll(copied).toBe(command)
})

test('ten thousand devices: only rows in view are drawn and watched, any is found, and values are live', async ({
  page,
  hub,
  sender,
}) => {
  const id = (i: number) => `meter-${String(i).padStart(5, '0')}`
  const now = Date.now()
  for (let i = 0; i < 10_000; i += 2_000) {
    const some = Array.from({ length: 2_000 }, (_, k) => id(i + k))
    await sender.send(...some.map((device) => ({ device, metric: 'power', value: 100, unit: 'W', time: now - MINUTE })))
    await sender.send(
      ...some.map((device) => ({ device, metric: 'power', value: 90, unit: 'W', time: now - 2 * MINUTE })),
    )
  }
  await logIn(page, hub)
  await expect(page.getByText('of 10000 online')).toBeVisible()
  const rows = page.locator('.rows > li')
  await expect(rows.first()).toContainText('100 W')
  expect(await rows.count()).toBeLessThan(60)
  await expect(rows.first().locator('.spark path'), 'the last hour as a line').toBeVisible()

  await page.keyboard.press('End')
  const last = page.getByRole('link', { name: id(9_999) })
  await expect(last).toContainText('100 W')
  await sender.send({ device: id(9_999), metric: 'power', value: 123, unit: 'W' })
  await expect(last).toContainText('123 W')
  expect(await rows.count()).toBeLessThan(60)
  const watched = await page.evaluate(() => {
    const handle = (window as unknown as { __telltale: { subscriptions(): { select: string[] }[] } }).__telltale
    return handle.subscriptions().flatMap((one) => one.select).length
  })
  expect(watched, 'subscriptions of what is in view').toBeLessThan(60)
  await page.screenshot({ path: 'shots/many.png' })

  await page.getByRole('button', { name: 'tiles', exact: true }).click()
  const tiles = page.locator('.tiles > li')
  await page.keyboard.press('Home')
  await expect(tiles.first()).toContainText('meter-00000')
  await page.keyboard.press('End')
  await expect(last).toContainText('123 W')
  expect(await tiles.count()).toBeLessThan(120)
  await page.screenshot({ path: 'shots/many-tiles.png' })
  await page.getByRole('button', { name: 'rows', exact: true }).click()

  await page.setViewportSize({ width: 768, height: 900 })
  const head = await page.getByRole('heading', { name: 'Devices' }).boundingBox()
  expect(head?.height, 'one line').toBeLessThan(40)
  await page.setViewportSize({ width: 1280, height: 860 })
  await page.getByLabel('Filter devices').fill('meter-04711')
  await expect(rows).toHaveCount(1)
  await expect(rows.first()).toContainText('100 W')
})

test('name, note and attributes are edited; what somebody else changed meanwhile is not overwritten', async ({
  page,
  hub,
  sender,
  complaints,
}) => {
  await sender.send({ device: 'pump', metric: 'pressure', value: 4.2, unit: 'bar' })
  await logIn(page, hub)
  await page.getByRole('link', { name: /pump/ }).click()
  const opens = page.getByRole('button', { name: 'Edit name, note, attributes' })
  await opens.focus()
  await page.keyboard.press('Enter')
  const form = page.getByRole('form', { name: 'Edit device' })
  await expect(form.getByLabel('Name', { exact: true }), 'keys go on in the form').toBeFocused()
  await form.getByLabel('Name', { exact: true }).fill('Harbour pump')
  await form.getByLabel('Note').fill('Serviced in May.\nKey in box 7.')
  await form.getByLabel('Attribute 1, name').fill('site')
  await form.getByLabel('Attribute 1, value').fill('Harbour')
  await form.getByRole('button', { name: 'Save' }).click()
  await expect(page.getByRole('heading', { name: 'Harbour pump' })).toBeVisible()
  await expect(page.getByText('Key in box 7.')).toBeVisible()
  await expect(opens, 'and after it where it was opened').toBeFocused()
  await expect(page.locator('.facts')).toContainText('site Harbour')

  await page.getByRole('button', { name: 'Edit name, note, attributes' }).click()
  await form.getByLabel('Attribute 1, value').fill('Quay')
  await page.evaluate(async () => {
    const headers = { 'content-type': 'application/json' }
    await fetch('/api/v1/devices/pump', { method: 'PATCH', headers, body: JSON.stringify({ name: 'Old pump' }) })
  })
  await form.getByRole('button', { name: 'Save' }).click()
  await expect(form.getByRole('alert')).toHaveText(
    'Somebody else has changed it meanwhile: The name is now “Old pump”. Save once more to put what you changed over it.',
  )
  expect(complaints.splice(0)).toEqual([expect.stringContaining('409')])
  await expect(form.getByLabel('Attribute 1, value')).toHaveValue('Quay')
  await page.screenshot({ path: 'shots/edit.png' })
  await form.getByRole('button', { name: 'Save' }).click()
  await expect(form).toHaveCount(0)
  await expect(page.getByRole('heading', { name: 'Old pump' }), 'what was not touched is theirs').toBeVisible()
  await expect(page.locator('.facts')).toContainText('site Quay')
})
