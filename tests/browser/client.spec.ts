// The package @telltale/client in a browser, as it is built: as a module of its own on the hub's page, whose cookie it uses.
import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { Page } from '@playwright/test'
import { expect, logIn, test } from './fixtures'

const DASHBOARDS = join(import.meta.dirname, '../../dashboards')

test.beforeAll(async () => {
  await promisify(execFile)('npm', ['run', '--silent', 'build', '-w', 'client'], { cwd: DASHBOARDS })
})

// The hub's policy takes scripts from its own address alone, and the page's own tests see to that.
test.use({ bypassCSP: true })

/** Runs this module on the page that is open; it finds the package by its name. */
async function runModule(page: Page, module: string): Promise<void> {
  await page.route('**/example/client/*.js', async (route) => {
    const file = route.request().url().split('/').at(-1) ?? ''
    const body = await readFile(join(DASHBOARDS, 'client/dist', file))
    await route.fulfill({ contentType: 'text/javascript', body })
  })
  await page.addScriptTag({ type: 'importmap', content: '{"imports":{"@telltale/client":"/example/client/index.js"}}' })
  await page.addScriptTag({ type: 'module', content: module })
}

test('the example of its README shows what comes in, by the cookie alone', async ({ page, hub, sender }) => {
  await logIn(page, hub)
  const readme = await readFile(join(DASHBOARDS, 'client/README.md'), 'utf8')
  const examples = [...readme.matchAll(/```js\n(.*?)```/gs)].map((m) => m[1] ?? '')
  const [example] = examples.filter((text) => text.includes('document.title'))
  await sender.send({ device: 'greenhouse-1', metric: 'temperature', value: 21.5, unit: '°C' })
  await runModule(page, example ?? '')
  await expect(page).toHaveTitle('21.5 °C')
  await sender.send({ device: 'greenhouse-1', metric: 'temperature', value: 22.5, unit: '°C' })
  await expect(page).toHaveTitle('22.5 °C')
})

test('exact times come over a hub that was killed, each once', async ({ page, hub, sender }) => {
  await logIn(page, hub)
  await runModule(
    page,
    `import { connect } from '@telltale/client'
     window.seen = []
     const onState = ({ phase }) => { window.phase = phase }
     connect('/', { exact: true, onState }).subscribe('pump/pressure', { history: '1h' }, ({ points }) => {
       for (const { time, value } of points) window.seen.push([typeof time, String(time), value])
     })`,
  )
  const phase = () => page.evaluate(() => (window as unknown as { phase: string }).phase)
  await expect.poll(phase).toBe('live')
  const began = Date.now()
  const send = (n: number) => sender.send({ device: 'pump', metric: 'pressure', value: n, time: began + n })
  const seen = () => page.evaluate(() => (window as unknown as { seen: unknown[] }).seen)
  const all = (count: number) =>
    Array.from({ length: count }, (_, n) => ['bigint', `${BigInt(began + n) * 1_000_000n}`, n])
  for (let n = 0; n < 5; n += 1) await send(n)
  await expect.poll(seen).toEqual(all(5))
  await hub.kill('SIGKILL')
  await expect.poll(phase).toBe('waiting')
  await hub.restart()
  for (let n = 5; n < 10; n += 1) await send(n)
  await expect.poll(seen).toEqual(all(10))
  await expect.poll(phase).toBe('live')
})
