import { afterEach, beforeEach, expect, test, vi } from 'vitest'

vi.stubGlobal('requestAnimationFrame', () => 0)
let asked = 0
let answer: () => Response
vi.stubGlobal('fetch', async () => {
  asked += 1
  return answer()
})
const { wantSparks, sparkOf } = await import('../src/pages/devices/sparks')
const { Series } = await import('@telltale/client')

const of = { device: 'd', metric: 'm', labels: {}, unit: 'W', kind: 'gauge' } as const
const series = new Series(of)

beforeEach(() => vi.useFakeTimers())
afterEach(() => vi.useRealTimers())

test('lines of the last hour that the hub refuses are asked for again after a while, not with each value', async () => {
  answer = () => Response.json({ error: { code: 'draining', message: 'no' } }, { status: 503 })
  for (let ms = 0; ms < 9_000; ms += 200) {
    await wantSparks([series])
    vi.advanceTimersByTime(200)
  }
  expect([asked, sparkOf(series)]).toEqual([1, undefined])
  answer = () => Response.json({ series: [{ ...of, points: [[Date.now() - 1_000, 5]] }] })
  vi.advanceTimersByTime(2_000)
  await wantSparks([series])
  expect([asked, sparkOf(series)?.points]).toEqual([2, [[expect.any(Number), 5]]])
})
