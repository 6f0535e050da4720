import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import type { LastValue } from '../src/api'
import type { LastValues } from '../src/chart/last'
import { type StubPage, stubPage } from './stub-page'

vi.stubGlobal('requestAnimationFrame', () => 0)
const { ApiError } = await import('../src/rest')

const one = (time: number, value: number): LastValue => ({
  device: 'd',
  metric: 'm',
  labels: {},
  unit: '',
  kind: 'gauge',
  time,
  value,
  seen: time,
  changed: time,
})
const away = () => new ApiError(503, { code: 'draining', message: 'the hub is going down' })

let last: LastValues
let page: StubPage
/** When the hub was asked, in ms since the test began. */
let asked: number[]
let answer: () => LastValue[]
let ended: AbortSignal

beforeEach(async () => {
  vi.useFakeTimers()
  page = stubPage()
  const { LastValues } = await import('../src/chart/last')
  const began = performance.now()
  asked = []
  answer = () => [one(100, 1)]
  last = new LastValues(async (signal) => {
    asked.push(performance.now() - began)
    ended = signal
    return answer()
  })
})
afterEach(() => {
  last.stop()
  vi.useRealTimers()
})

const known = () => [...(last.values.value?.values() ?? [])].map(({ value }) => value)

describe('the last known values', () => {
  test('are asked for again after a failure, ever more rarely, and what was known stays', async () => {
    answer = () => {
      throw away()
    }
    last.ask()
    await vi.advanceTimersByTimeAsync(0)
    expect([known(), last.error.value]).toEqual([[], 'The hub is going down.'])
    await vi.advanceTimersByTimeAsync(9_000)
    answer = () => [one(100, 2)]
    await vi.advanceTimersByTimeAsync(30_000)
    expect([known(), last.error.value, asked]).toEqual([[2], '', [0, 3_000, 9_000, 21_000]])
  })

  test('are not asked for again where the same refusal would come', async () => {
    answer = () => {
      throw new ApiError(400, { code: 'bad_selector', message: 'no' })
    }
    last.ask()
    await vi.advanceTimersByTimeAsync(600_000)
    expect(asked).toEqual([0])
  })

  test('are asked for when the hub changed the past of one: of a crowd of changes the last counts too', async () => {
    last.ask()
    await vi.advanceTimersByTimeAsync(10_000)
    last.touch({ to: 99 })
    await vi.advanceTimersByTimeAsync(10_000)
    expect(asked, 'what is known of later times stands').toEqual([0])
    for (let i = 0; i < 70; i += 1) {
      last.touch({ to: 100 })
      await vi.advanceTimersByTimeAsync(100)
    }
    answer = () => []
    last.touch({ to: 100 })
    await vi.advanceTimersByTimeAsync(10_000)
    expect([asked, known()]).toEqual([[0, 20_000, 25_000, 30_000], []])
  })

  test('are asked for now and then, since nothing is said of what changed before live began; of many series more rarely', async () => {
    answer = () => (asked.length < 4 ? [one(100, asked.length)] : Array.from({ length: 2_000 }, (_, i) => one(i, i)))
    last.ask()
    await vi.advanceTimersByTimeAsync(299_000)
    expect(asked).toEqual([0, 30_000, 60_000, 90_000, 210_000])
  })

  test('are not asked for while the page is hidden, and at once when it is shown', async () => {
    last.ask()
    await vi.advanceTimersByTimeAsync(10_000)
    page.hide()
    last.touch({ to: 100 })
    await vi.advanceTimersByTimeAsync(3_600_000)
    expect(asked).toEqual([0])
    page.show()
    await vi.advanceTimersByTimeAsync(0)
    expect(asked).toEqual([0, 3_610_000])
    // And then as ever.
    await vi.advanceTimersByTimeAsync(30_000)
    expect(asked).toEqual([0, 3_610_000, 3_640_000])
    page.hide()
    await vi.advanceTimersByTimeAsync(10_000)
    page.show()
    await vi.advanceTimersByTimeAsync(0)
    expect(asked.length, 'what is not due is not asked for').toBe(3)
  })

  test('a page that is left asks nothing any more', async () => {
    last.ask()
    await vi.advanceTimersByTimeAsync(10_000)
    last.touch({ to: 100 })
    last.stop()
    expect(ended.aborted, 'what is on its way holds up no other page').toBe(true)
    await vi.advanceTimersByTimeAsync(60_000)
    expect(asked).toEqual([0])
  })
})
