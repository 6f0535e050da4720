// What goes wrong around a page: a clock that is off, a network that is cut, a laptop that sleeps. What the user sees is right.

import type { AddressInfo } from 'node:net'
import { createServer, connect as open, type Server, type Socket } from 'node:net'
import { AxeBuilder } from '@axe-core/playwright'
import { chromium, type Page } from '@playwright/test'
import { connection, expect, held, history, logIn, test } from './fixtures'
import type { Sender } from './sender'

/** A network between page and hub that can be cut: bytes stop, and nobody is told, as when a cable is pulled. */
class Network {
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  #isCut = false

  private constructor(server: Server) {
    this.#server = server
  }

  static async before(hubUrl: string): Promise<Network> {
    const { hostname, port } = new URL(hubUrl)
    const server = createServer()
    const network = new Network(server)
    server.on('connection', (near) => network.#join(near, open(Number(port), hostname)))
    await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready))
    return network
  }

  /** For a browser: the hub's address leads here. The page keeps the hub's address, which the hub asks of it. */
  rule(hubUrl: string): string {
    return `--host-resolver-rules=MAP ${new URL(hubUrl).host} 127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  cut(): void {
    this.#isCut = true
    for (const socket of this.#sockets) socket.pause()
  }

  /** What was under way is gone; new connections pass. */
  mend(): void {
    this.#isCut = false
    for (const socket of this.#sockets) socket.destroy()
  }

  end(): void {
    this.mend()
    this.#server.close()
  }

  #join(near: Socket, far: Socket): void {
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      this.#sockets.add(from)
      from.on('data', (bytes) => to.write(bytes))
      from.on('error', () => from.destroy())
      from.on('close', () => {
        this.#sockets.delete(from)
        to.destroy()
      })
      if (this.#isCut) from.pause()
    }
  }
}

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

test('the network is cut and comes back: the page says so, and goes on without a hole', async ({ hub, sender }) => {
  test.setTimeout(180_000)
  const began = Date.now()
  const network = await Network.before(hub.url)
  const { executablePath, args } = test.info().project.use.launchOptions ?? {}
  const browser = await chromium.launch({
    ...(executablePath === undefined ? {} : { executablePath }),
    args: [...(args ?? []), network.rule(hub.url)],
  })
  const page = await browser.newPage()
  const beating = beat(sender)
  try {
    await logIn(page, hub)
    await page.getByRole('link', { name: /pump/ }).click()
    await expect.poll(async () => (await held(page, 'pump', 'pressure'))?.points.length ?? 0).toBeGreaterThan(10)
    network.cut()
    // Nobody tells the browser: the page finds that it hears nothing, for 15 s, and for 60 s more after it asked.
    await expect(connection(page)).not.toHaveText('Live', { timeout: 90_000 })
    await expect(page.locator('.plot'), 'the picture stays').not.toHaveAttribute('data-empty')
    network.mend()
    await expect(connection(page)).toHaveText('Live')
    const count = await beating.stop()
    await holdsAll(page, began, count)
  } finally {
    await beating.stop()
    await browser.close()
    network.end()
  }
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
