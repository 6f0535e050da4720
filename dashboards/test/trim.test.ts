import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import type { Older } from '../src/chart/older'
import { type StubPage, stubPage } from './stub-page'

vi.stubGlobal('requestAnimationFrame', () => 0)
vi.stubGlobal('window', { addEventListener: () => undefined })
vi.stubGlobal('WebSocket', class {})
stubPage()
const { keepSmall } = await import('../src/chart/use-trim')
const { prepare } = await import('../src/live')
const { Series } = await import('@telltale/client')

const MINUTE = 60_000
let page: StubPage
beforeEach(() => {
  vi.useFakeTimers()
  page = stubPage()
})
afterEach(() => vi.useRealTimers())

/** A subscription that has held a reading a minute for three hours, and goes on. */
function held() {
  const watched = prepare({ select: ['d/m'], history: '16m' })
  const series = new Series({ device: 'd', metric: 'm', labels: {}, unit: '', kind: 'gauge' })
  const now = Date.now()
  for (let minute = 180; minute > 0; minute -= 1) series.append(now - minute * MINUTE, minute)
  watched.sub.series.set(series.key, series)
  watched.sub.coverFrom = now - 180 * MINUTE
  return { watched, ring: series.ring }
}

test('the rings of a hidden page stay small, though its charts were drawn from them', async () => {
  const { watched, ring } = held()
  const now = Date.now()
  const answer = { from: 0, to: now - 170 * MINUTE, askedAt: now - 170 * MINUTE, column: 1, series: new Map() }
  const drawn = { meetsLive: true, rests: false, answer } as unknown as Older
  const stop = keepSmall(watched, new Set([drawn]), () => ({ kind: 'last', span: '6h' }))
  await vi.advanceTimersByTimeAsync(10 * MINUTE)
  expect(ring.length, 'what somebody may look at is not touched but in its frame').toBe(180)
  page.hide()
  await vi.advanceTimersByTimeAsync(MINUTE)
  expect(ring.length, 'an hour, of which some minutes passed since').toBeLessThan(61)
  expect(ring.firstTime).toBeGreaterThanOrEqual(now - 49 * MINUTE)
  expect(watched.sub.coverFrom).toBe(Date.now() - 60 * MINUTE)
  stop()
  expect(vi.getTimerCount()).toBe(0)
})
