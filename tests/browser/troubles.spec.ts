// What goes wrong around a page: a clock that is off, a network that is cut, slow or reset, a laptop that sleeps. What the user sees is
// right.
import { AxeBuilder } from '@axe-core/playwright'
import { chromium, type Page } from '@playwright/test'
import { connection, expect, held, history, logIn, test } from './fixtures'
import type { Hub } from './hub'
import { Network } from './network'
import type { Sender } from './sender'

/** Sends a reading ten times a second until told to stop; gives how many were sent. */
function beat(sender: Sender): { count(): number; stop(): Promise<number> } {
  const acks: Promise<unknown>[] = []
  const timer = setInterval(() => {
    acks.push(sender.send({ device: 'pump', metric: 'pressure', value: acks.length, unit: 'bar', time: Date.now() }))
  }, 100)
  return {
    count: () => acks.length,
    stop: async () => {
      clearInterval(timer)
      await Promise.all(acks)
      return acks.length
    },
  }
}

async function holdsAll(page: Page, began: number, count: number): Promise<void> {
  await expect
    .poll(async () => (await held(page, 'pump', 'pressure'))?.points.length, { message: 'every reading sent is held' })
    .toBe(count)
  expect((await held(page, 'pump', 'pressure'))?.points).toEqual(await history(page, 'pump/pressure', began - 1000))
}

interface Far {
  page: Page
  network: Network
  beating: ReturnType<typeof beat>
  /** When the first reading was sent, in ms. */
  began: number
}

/** A browser that reaches the hub over a network of its own, while ten readings a second are sent to the hub directly. */
async function farFrom(hub: Hub, sender: Sender, run: (far: Far) => Promise<void>): Promise<void> {
  const began = Date.now()
  const network = await Network.before(hub.url)
  const { executablePath, args } = test.info().project.use.launchOptions ?? {}
  const browser = await chromium.launch({
    ...(executablePath === undefined ? {} : { executablePath }),
    args: [...(args ?? []), network.rule],
  })
  const beating = beat(sender)
  try {
    await run({ page: await browser.newPage(), network, beating, began })
  } finally {
    await beating.stop()
    await browser.close()
    network.end()
  }
}

async function openPump(page: Page): Promise<void> {
  await page.getByRole('link', { name: /pump/ }).click()
  await expect.poll(async () => (await held(page, 'pump', 'pressure'))?.points.length ?? 0).toBeGreaterThan(10)
  await page.evaluate(() => Object.assign(window, { sameDocument: true }))
}

/** Live again, without a reload, and nothing is missing. */
async function goesOn({ page, beating, began }: Far): Promise<void> {
  await expect(connection(page)).toHaveText('Live', { timeout: 40_000 })
  const count = await beating.stop()
  await holdsAll(page, began, count)
  expect(await page.evaluate(() => 'sameDocument' in window), 'no reload').toBe(true)
}

/** While nothing is heard of the hub: the picture stands, and nothing is said of a time of which nothing is known. */
async function standsStill(page: Page): Promise<void> {
  await expect(page.locator('.plot'), 'the picture stays').not.toHaveAttribute('data-empty')
  await expect(page.locator('.badge'), 'that the device is silent is not known').toHaveCount(0)
  await expect(page.locator('.figure')).toContainText('bar')
}

test('the network vanishes for half a minute: the page says that nothing comes, and goes on over the same connection', async ({
  hub,
  sender,
}) => {
  test.setTimeout(180_000)
  await farFrom(hub, sender, async (far) => {
    const { page, network } = far
    await logIn(page, hub)
    await openPump(page)
    const sockets: string[] = []
    page.on('websocket', (socket) => sockets.push(socket.url()))
    network.cut()
    await expect(connection(page)).toHaveText(/^No answer for \d+ s$/, { timeout: 30_000 })
    await standsStill(page)
    await page.screenshot({ path: 'shots/no-answer.png' })
    network.mend()
    await goesOn(far)
    expect(sockets, 'what was under way was sent again, as TCP does').toEqual([])
  })
})

test('the network is cut for longer, of which nobody is told: the page finds it, and goes on without a hole', async ({
  hub,
  sender,
}) => {
  test.setTimeout(240_000)
  await farFrom(hub, sender, async (far) => {
    const { page, network } = far
    await logIn(page, hub)
    await openPump(page)
    network.cut()
    // 15 s without a word, and 60 s more after the hub was asked.
    await expect(connection(page)).toHaveText(/^Reconnecting/, { timeout: 90_000 })
    await expect(page.getByText(/connection to the hub broke \(nothing was heard for 7\d s\)/)).toBeVisible()
    await standsStill(page)
    network.mend()
    await goesOn(far)
  })
})

test('connections are reset: told at once, and the page goes on by its cursor', async ({ hub, sender }) => {
  test.setTimeout(120_000)
  await farFrom(hub, sender, async (far) => {
    const { page, network } = far
    await logIn(page, hub)
    await openPump(page)
    const asked: string[] = []
    page.on('websocket', (socket) => socket.on('framesent', ({ payload }) => asked.push(String(payload))))
    // New ones lead nowhere for a while, so that what is said can be seen.
    network.cut()
    network.reset()
    await expect(page.getByText(/connection to the hub broke/)).toBeVisible({ timeout: 2_000 })
    await expect(connection(page)).toHaveText(/^Reconnecting/)
    await standsStill(page)
    network.mend()
    await goesOn(far)
    expect(asked.filter((text) => text.includes('"subscribe"')).every((text) => text.includes('"cursor"'))).toBe(true)
  })
})

test('a line that takes a second each way: the page opens, is live, and now is now', async ({ hub, sender }) => {
  test.setTimeout(180_000)
  await farFrom(hub, sender, async (far) => {
    const { page, network, beating } = far
    network.slow({ latencyMs: 1_000 })
    const opened = page.waitForEvent('websocket')
    await logIn(page, hub)
    const socket = await opened
    await openPump(page)
    await expect(connection(page)).toHaveText('Live')
    await expect(page.locator('.facts')).toContainText(/last reading (now|[1-5] s ago)/)
    await page.getByRole('button', { name: '1h', exact: true }).click()
    await expect(page.locator('.plot')).not.toHaveAttribute('data-empty')
    // Nothing comes for a while, and then the answer that the hub is there: no doubt was told meanwhile.
    const told = await page.evaluateHandle(() => {
      const told: string[] = []
      const pill = document.querySelector('[role=status]') as Element
      new MutationObserver(() => told.push(pill.textContent ?? '')).observe(pill, {
        subtree: true,
        characterData: true,
        childList: true,
      })
      return told
    })
    await beating.stop()
    await socket.waitForEvent('framesent', ({ payload }) => String(payload).includes('"ping"'))
    await socket.waitForEvent('framereceived')
    await goesOn(far)
    expect(await told.jsonValue()).toEqual([])
  })
})

test('a line of 10 KB/s: the page says that it is on its way, opens, and is live', async ({ hub, sender }) => {
  test.setTimeout(240_000)
  await farFrom(hub, sender, async (far) => {
    const { page, network } = far
    network.slow({ bytesPerS: 10_000, latencyMs: 50 })
    const opened = page.goto(hub.loginLink, { waitUntil: 'commit' })
    await expect(page.getByText('Telltale is on its way')).toBeVisible()
    await opened
    await expect(connection(page)).toHaveText('Live', { timeout: 60_000 })
    await openPump(page)
    // A year of history shares the line with what is live.
    await page.evaluate(() => {
      location.hash = '#/device/pump?range=365d'
    })
    await expect(page.locator('.plot')).not.toHaveAttribute('data-empty')
    await expect(connection(page)).toHaveText('Live')
    await goesOn(far)
  })
})

test('a laptop sleeps and wakes: the chart goes on without a hole and without a reload', async ({
  page,
  hub,
  sender,
}) => {
  const began = Date.now()
  const beating = beat(sender)
  let count = 0
  try {
    await logIn(page, hub)
    await page.getByRole('link', { name: /pump/ }).click()
    await expect.poll(async () => (await held(page, 'pump', 'pressure'))?.points.length ?? 0).toBeGreaterThan(10)
    await page.evaluate(() => Object.assign(window, { sameDocument: true }))
    const devtools = await page.context().newCDPSession(page)
    await devtools.send('Page.enable')
    await devtools.send('Page.setWebLifecycleState', { state: 'frozen' })
    const slept = beating.count()
    await expect.poll(() => beating.count() - slept).toBeGreaterThan(30)
    await devtools.send('Page.setWebLifecycleState', { state: 'active' })
    await expect(connection(page)).toHaveText('Live')
    const awake = beating.count()
    await expect.poll(() => beating.count() - awake).toBeGreaterThan(10)
  } finally {
    count = await beating.stop()
  }
  await holdsAll(page, began, count)
  expect(await page.evaluate(() => 'sameDocument' in window), 'no reload').toBe(true)
})

for (const hours of [1, -1]) {
  test(`the clock of the browser is wrong by ${hours} h: what is now is shown as now`, async ({
    page,
    hub,
    sender,
  }) => {
    await page.addInitScript((ms) => {
      const right = Date
      const now = () => right.now() + ms
      class Wrong extends right {
        constructor(...parts: unknown[]) {
          super(...((parts.length === 0 ? [now()] : parts) as [number]))
        }
        static override now = now
      }
      window.Date = Wrong as DateConstructor
    }, hours * 3_600_000)
    const beating = beat(sender)
    try {
      await logIn(page, hub)
      const row = page.getByRole('link', { name: /pump/ })
      await expect(row.locator('time')).toHaveText(/^(now|[1-3] s ago)$/)
      await row.click()
      await expect(page.locator('.plot')).not.toHaveAttribute('data-empty')
      await expect(page.locator('.facts')).toContainText(/last reading (now|[1-3] s ago)/)
    } finally {
      await beating.stop()
    }
  })
}

test('axe finds nothing serious on any page, in light and dark', async ({ page, hub, sender }) => {
  const now = Date.now()
  for (const [i, device] of ['pump', 'boiler'].entries()) {
    const time = now - i * 1000
    await sender.send(
      { device, metric: 'pressure', value: 4.2, unit: 'bar', time },
      { device, metric: 'running', value: true, time },
      { device, metric: 'cpu', value: 1, labels: { cpu: '0' }, time },
      { device, metric: 'cpu', value: 2, labels: { cpu: '1' }, time },
    )
  }
  await page.goto(hub.url)
  const check = async (name: string) => {
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme })
      const { violations } = await new AxeBuilder({ page }).analyze()
      const serious = violations.filter(({ impact }) => impact === 'serious' || impact === 'critical')
      const told = serious.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.target.join(' ')).join(', ')}`)
      expect(told, `${name}, ${colorScheme}`).toEqual([])
    }
  }
  await expect(page.getByRole('button', { name: 'Log in' })).toBeVisible()
  await check('login')
  await logIn(page, hub)
  await expect(page.getByRole('link', { name: /pump/ })).toContainText('bar')
  await check('devices')
  await page.getByRole('link', { name: /pump/ }).click()
  await expect(page.locator('.plot:not([data-empty])').first()).toBeVisible()
  await check('device')
  await page.locator('.range-box summary').click()
  await check('range')
  await page.keyboard.press('Escape')
  await page.getByRole('button', { name: 'Edit name, note, attributes' }).click()
  await check('edit')
  await page.goto(`${hub.url}/#/explore?select=*%2F*`)
  await expect(page.locator('.plot:not([data-empty])').first()).toBeVisible()
  await check('explore')
  await page.getByRole('link', { name: 'Status' }).click()
  await expect(page.getByRole('region', { name: 'Tokens' }).getByRole('row').first()).toBeVisible()
  await check('status')
})
