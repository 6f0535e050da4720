import { connection, expect, logIn, test } from './fixtures'

test('the link logs in once, leaves the address bar, and the session lasts over a reload', async ({ page, hub }) => {
  await logIn(page, hub)
  expect(page.url()).toBe(`${hub.url}/#/`)
  expect(await page.evaluate(() => document.cookie), 'the cookie is HttpOnly').toBe('')
  await page.reload()
  await expect(connection(page)).toHaveText('Live')

  await page.getByRole('button', { name: 'Log out' }).click()
  await expect(page.getByLabel('Or paste a link or a token')).toBeVisible()
  await page.goto(hub.loginLink)
  await page.reload()
  await expect(page.getByRole('button', { name: 'Log in' })).toBeVisible()
})

test('a token logs in, a wrong one is refused with a reason and stays in the form', async ({ page, hub }) => {
  await page.goto(hub.url)
  const field = page.getByLabel('Or paste a link or a token')
  await field.fill('not-a-token')
  await page.getByRole('button', { name: 'Log in' }).click()
  await expect(page.getByRole('alert')).toBeVisible()
  await expect(field).toHaveValue('not-a-token')
  await field.fill(await hub.token('viewer', 'me'))
  await page.getByRole('button', { name: 'Log in' }).click()
  await expect(connection(page)).toHaveText('Live')
})

test('a link that was cut or garbled is refused with a reason, and the form goes on', async ({ page, hub }) => {
  await page.goto(hub.url)
  const field = page.getByLabel('Or paste a link or a token')
  for (const link of [`${hub.url}/#login=100%`, hub.loginLink.slice(0, -4)]) {
    await field.fill(link)
    await page.getByRole('button', { name: 'Log in' }).click()
    await expect(page.getByRole('alert')).toBeVisible()
    await expect(page.getByRole('button', { name: 'Log in' })).toBeEnabled()
    await expect(field).toHaveValue(link)
  }
  await field.fill(hub.loginLink)
  await page.getByRole('button', { name: 'Log in' }).click()
  await expect(connection(page)).toHaveText('Live')
})

test('a revoked token closes its page with a reason, within seconds', async ({ page, hub, sender }) => {
  await sender.send({ device: 'pump', metric: 'pressure', value: 4.2, unit: 'bar' })
  const token = await hub.token('viewer', 'guest')
  await page.goto(hub.url)
  await page.getByLabel('Or paste a link or a token').fill(token)
  await page.getByRole('button', { name: 'Log in' }).click()
  await page.getByText('pump').click()
  await expect(page.getByText('4.2 bar')).toBeVisible()
  await hub.revoke('guest')
  await expect(page.getByRole('alert')).toContainText('ended', { timeout: 5_000 })
  await page.reload()
  await expect(page.getByRole('button', { name: 'Log in' })).toBeVisible()
})

test('the page keeps to a strict policy and its files are cached as they should be', async ({ page, hub }) => {
  const first = await page.goto(hub.url)
  expect(first?.headers()['content-security-policy']).toMatch(/default-src '(none|self)'/)
  expect(first?.headers()['content-security-policy']).not.toContain('unsafe')
  expect(first?.headers()['cache-control']).toMatch(/no-cache|no-store/)
  const script = await page.locator('script[type=module]').getAttribute('src')
  const asset = await page.request.get(new URL(script ?? '', hub.url).href)
  expect(asset.headers()['cache-control']).toContain('immutable')
  expect(asset.headers()['content-encoding'], 'compressed at build').toBe('br')
})

test('a link that is used up does not log out who is logged in, and says so', async ({ page, hub, sender }) => {
  await sender.send({ device: 'pump', metric: 'pressure', value: 4.2, unit: 'bar' })
  await logIn(page, hub)
  for (const open of [
    // In the page that is there, and in one that is opened by it.
    () => page.evaluate((link) => location.assign(new URL(link).hash), hub.loginLink),
    async () => {
      await page.goto('about:blank')
      await page.goto(hub.loginLink)
    },
  ]) {
    await open()
    await expect(page.getByText('You are logged in as before.')).toBeVisible()
    await expect(page.getByRole('link', { name: /pump/ })).toContainText('4.2 bar')
    await page.getByRole('button', { name: 'Dismiss' }).click()
  }
})
