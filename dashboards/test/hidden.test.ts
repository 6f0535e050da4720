import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { afterShown, repeated } from '../src/hidden'
import { type StubPage, stubPage } from './stub-page'

let page: StubPage
beforeEach(() => {
  vi.useFakeTimers()
  page = stubPage()
})
afterEach(() => vi.useRealTimers())

/** When it ran, in ms since now. */
function timed(): { ran: number[]; run(): void } {
  const began = Date.now()
  const ran: number[] = []
  return { ran, run: () => void ran.push(Date.now() - began) }
}

describe('what is asked after a while', () => {
  test('is asked then, once, where somebody looks', async () => {
    const { ran, run } = timed()
    afterShown(1_000, run)
    await vi.advanceTimersByTimeAsync(60_000)
    expect([ran, page.listeners()]).toEqual([[1_000], 0])
  })

  test('waits while the page is hidden, and is asked at once when it is shown', async () => {
    const { ran, run } = timed()
    page.hide()
    afterShown(1_000, run)
    await vi.advanceTimersByTimeAsync(60_000)
    expect(ran).toEqual([])
    page.show()
    expect([ran, page.listeners()]).toEqual([[60_000], 0])
  })

  test('is not asked before its time, though the page is shown', async () => {
    const { ran, run } = timed()
    page.hide()
    afterShown(1_000, run)
    await vi.advanceTimersByTimeAsync(400)
    page.show()
    expect(ran).toEqual([])
    await vi.advanceTimersByTimeAsync(600)
    expect(ran).toEqual([1_000])
  })

  test('does not wait for a timer that slept with the machine', () => {
    const { ran, run } = timed()
    page.hide()
    afterShown(30_000, run)
    vi.setSystemTime(Date.now() + 3_600_000)
    page.show()
    expect([ran, vi.getTimerCount(), page.listeners()]).toEqual([[3_600_000], 0, 0])
  })

  test('that is called off is not asked, and leaves nothing behind', async () => {
    const { ran, run } = timed()
    for (let i = 0; i < 1_000; i += 1) afterShown(i, run)()
    page.hide()
    const callOff = afterShown(1_000, run)
    await vi.advanceTimersByTimeAsync(5_000)
    callOff()
    page.show()
    expect([ran, vi.getTimerCount(), page.listeners()]).toEqual([[], 0, 0])
  })
})

describe('what is asked again and again', () => {
  test('is asked at once, and so long after each answer, but not while the page is hidden', async () => {
    const { ran, run } = timed()
    const stop = repeated(
      () => 2_000,
      async () => {
        run()
        await new Promise((answered) => setTimeout(answered, 500))
      },
    )
    await vi.advanceTimersByTimeAsync(6_000)
    expect(ran).toEqual([0, 2_500, 5_000])
    page.hide()
    await vi.advanceTimersByTimeAsync(600_000)
    expect(ran).toHaveLength(3)
    page.show()
    await vi.advanceTimersByTimeAsync(0)
    expect(ran.at(-1)).toBe(606_000)
    stop()
    await vi.advanceTimersByTimeAsync(600_000)
    expect([ran.length, page.listeners(), vi.getTimerCount()]).toEqual([4, 0, 0])
  })

  test('ends with the answer that is on its way', async () => {
    const { ran, run } = timed()
    const stop = repeated(
      () => 10,
      async () => {
        run()
        await new Promise((answered) => setTimeout(answered, 500))
      },
    )
    await vi.advanceTimersByTimeAsync(100)
    stop()
    await vi.advanceTimersByTimeAsync(60_000)
    expect(ran).toEqual([0])
  })
})
