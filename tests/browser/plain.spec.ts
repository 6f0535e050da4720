// A viewer as someone would write it in a page of their own: `new WebSocket`, four handlers, no library.
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, test } from './fixtures'
import type { Hub } from './hub'

async function ticket(hub: Hub, token: string): Promise<string> {
  const response = await fetch(`${hub.url}/api/v1/live/ticket`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}` },
  })
  expect(response.status, await response.clone().text()).toBeLessThan(300)
  return ((await response.json()) as { ticket: string }).ticket
}

/** A page of someone else's, on another port: another origin, to which the hub gives nothing without a ticket. */
let server: Server
let port = 0
test.beforeAll(async () => {
  server = createServer((_, response) => {
    response.setHeader('content-type', 'text/html')
    response.end('<!doctype html><title>plain</title><link rel="icon" href="data:,">')
  })
  await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready))
  port = (server.address() as AddressInfo).port
})
test.afterAll(() => server.close())

interface Seen {
  opened: number
  errors: number
  closed: { code: number; reason: string; wasClean: boolean }[]
  messages: Record<string, unknown>[]
}

test('onopen, onmessage, onclose and onerror do what the standard says', async ({ page, hub, sender }) => {
  await sender.send({ device: 'pump', metric: 'pressure', value: 1, unit: 'bar' })
  const token = await hub.token('viewer', 'plain')
  await page.goto(`http://127.0.0.1:${port}/`)
  const open = (ticket: string) =>
    page.evaluate(
      ([url, ticket]) => {
        const seen: Seen = { opened: 0, errors: 0, closed: [], messages: [] }
        Object.assign(window, { seen })
        const socket = new WebSocket(`${url}/api/v1/live?ticket=${ticket}`)
        socket.onopen = () => {
          seen.opened += 1
          socket.send(JSON.stringify({ type: 'subscribe', id: 'mine', select: ['pump/*'] }))
        }
        socket.onmessage = (event) => seen.messages.push(JSON.parse(event.data as string) as Record<string, unknown>)
        socket.onclose = ({ code, reason, wasClean }) => seen.closed.push({ code, reason, wasClean })
        socket.onerror = () => {
          seen.errors += 1
        }
      },
      [hub.url.replace('http', 'ws'), ticket] as const,
    )
  const seen = () => page.evaluate(() => (window as unknown as { seen: Seen }).seen)

  const used = await ticket(hub, token)
  await open(used)
  await expect.poll(async () => (await seen()).messages[0]?.type).toBe('snapshot')
  await sender.send({ device: 'pump', metric: 'pressure', value: 2, unit: 'bar' })
  await expect.poll(async () => (await seen()).messages.map((m) => m.type)).toContain('update')
  expect(await seen()).toMatchObject({ opened: 1, errors: 0, closed: [] })
  const update = (await seen()).messages.find((m) => m.type === 'update')
  expect(update?.points).toEqual([[0, expect.any(Number), 2]])

  await hub.kill('SIGTERM')
  await expect.poll(async () => (await seen()).closed.length).toBe(1)
  expect(await seen()).toMatchObject({ errors: 0, closed: [{ code: 1001, wasClean: true }] })
  expect((await seen()).messages.at(-1)).toMatchObject({ type: 'closing', code: 1001 })

  await hub.restart()
  await open(used)
  await expect.poll(async () => (await seen()).closed.length).toBe(1)
  expect(await seen()).toMatchObject({ opened: 0, errors: 1, closed: [{ code: 1006, wasClean: false }] })
})
