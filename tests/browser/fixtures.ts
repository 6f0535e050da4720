// What every browser test gets: a hub, a sender with a token, and a page whose complaints fail the test.
import { test as base, expect, type Page } from '@playwright/test'
import { Hub } from './hub'
import { Sender } from './sender'

interface Fixtures {
  hub: Hub
  sender: Sender
  /** Lines of the console that are not about a hub that is away. */
  complaints: string[]
}

export const test = base.extend<Fixtures>({
  // biome-ignore lint/correctness/noEmptyPattern: Playwright reads the names of what a fixture needs from this pattern.
  hub: async ({}, use, info) => {
    const hub = await Hub.start()
    await use(hub)
    const log = await hub.end()
    if (info.status !== info.expectedStatus) await info.attach('hub log', { body: log, contentType: 'text/plain' })
  },
  sender: async ({ hub }, use) => {
    const sender = new Sender(hub.url, await hub.token('agent', 'sender'))
    await use(sender)
    sender.end()
  },
  complaints: [
    // Needs the hub, and so is judged before the hub ends: what a page says of a hub that ends under it is no part of a test.
    async ({ page, hub: _ }, use) => {
      const complaints: string[] = []
      page.on('pageerror', (error) => complaints.push(error.stack ?? error.message))
      page.on('console', (message) => {
        // A hub that is away, or a visitor without a session, is told by the browser as a failed load: part of these tests.
        const expected =
          /ERR_CONNECTION_(REFUSED|RESET|CLOSED)|ERR_SOCKET_NOT_CONNECTED|ERR_EMPTY_RESPONSE|ERR_INCOMPLETE_CHUNKED|before receiving a handshake|status of 401|HTTP Authentication failed/
        if (message.type() !== 'error' || expected.test(message.text())) return
        complaints.push(`${message.text()} (${message.location().url})`)
      })
      await use(complaints)
      expect(complaints, 'errors in the console, Content-Security-Policy included').toEqual([])
    },
    { auto: true },
  ],
})

export { expect }

/** Logs in by the link that the hub printed. */
export async function logIn(page: Page, hub: Hub): Promise<void> {
  await page.goto(hub.loginLink)
  await expect(connection(page)).toHaveAttribute('data-phase', 'live')
}

/** A page of a zone in which it is about noon: what is of today stays so while a test runs, whenever that is. */
export async function atNoon(page: Page): Promise<void> {
  const ahead = 12 - new Date().getUTCHours()
  const zone = ahead === 0 ? 'UTC' : `Etc/GMT${ahead > 0 ? '-' : '+'}${Math.abs(ahead)}`
  await page.addInitScript((zone) => localStorage.setItem('telltale.zone', zone), zone)
}

export function connection(page: Page) {
  return page.getByRole('status')
}

export interface Held {
  coverFrom: number
  points: [number, number | boolean | string][]
}

/** What the page's store holds of one series in the subscription of the page that is shown. */
export async function held(page: Page, device: string, metric: string): Promise<Held | undefined> {
  return page.evaluate(
    ([device, metric]) => {
      interface Handle {
        subscriptions(): {
          coverFrom: number
          series: { device: string; metric: string; points: [number, number][] }[]
        }[]
      }
      const handle = (window as unknown as { __telltale: Handle }).__telltale
      for (const { coverFrom, series } of handle.subscriptions()) {
        const found = series.find((one) => one.device === device && one.metric === metric)
        if (found !== undefined) return { coverFrom, points: found.points }
      }
      return undefined
    },
    [device, metric] as const,
  )
}

/** Every reading of a series from a time on, as the hub's history has it, asked with the page's own session. */
export async function history(page: Page, select: string, fromMs: number): Promise<[number, number][]> {
  return page.evaluate(
    async ([select, from]) => {
      const query = new URLSearchParams({ select, from, time: 'ms' })
      const response = await fetch(`/api/v1/history?${query}`)
      if (!response.ok) throw new Error(await response.text())
      const body = (await response.json()) as { series: { points: [number, number][] }[] }
      return body.series[0]?.points ?? []
    },
    [select, `${Math.floor(fromMs)}ms`] as const,
  )
}
