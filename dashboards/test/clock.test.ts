import { beforeEach, describe, expect, test, vi } from 'vitest'

vi.stubGlobal('requestAnimationFrame', () => 0)

let clock: typeof import('../src/clock')
beforeEach(async () => {
  vi.resetModules()
  clock = await import('../src/clock')
})

/** Answers of a hub whose clock is ahead by so many ms, each on its way for 20 ms; gives how far ahead the page took it to be after each. */
function learned(aheadMs: number, askedAt: readonly number[]): number[] {
  return askedAt.map((asked) => {
    const date = new Date(Math.floor((asked + 10 + aheadMs) / 1000) * 1000).toUTCString()
    clock.learnHubTime(date, asked, asked + 20)
    return clock.hubNow() - Date.now()
  })
}

const START = Date.parse('2026-11-30T12:00:00Z')
/** At every part of a second. */
const TIMES = Array.from({ length: 40 }, (_, i) => START + i * 30_000 + ((i * 377) % 1000))

describe('the time of the hub', () => {
  test.each([1_450, -1_450, 600, 3_600_000, -3_600_000])(
    'is %i ms ahead: each answer brings the page closer, and none takes it back',
    (ahead) => {
      const off = learned(ahead, TIMES).map((known) => Math.abs(known - ahead))
      const known = off.filter((ms) => ms !== Math.abs(ahead))
      expect(Math.max(...known)).toBeLessThanOrEqual(520)
      expect(off.at(-1)).toBeLessThan(100)
    },
  )

  test('is that of the browser as long as the two may be equal', () => {
    expect(new Set(learned(0, TIMES).map(Math.round))).toEqual(new Set([0]))
  })

  test('does not jump where the clocks go apart slowly, through a day', () => {
    const times = Array.from({ length: 2_880 }, (_, i) => START + i * 30_000 + ((i * 377) % 1000))
    const known = times.flatMap((time) => learned(10_000 + (time - START) * 5e-5, [time]))
    const settled = known.slice(100)
    const steps = settled.map((ms, i) => Math.abs(ms - (settled[i - 1] ?? ms)))
    expect(Math.max(...steps)).toBeLessThan(100)
    expect(Math.abs((known.at(-1) ?? 0) - 10_000 - 86_400_000 * 5e-5)).toBeLessThan(100)
  })

  test('is learned anew when a clock is put right', () => {
    learned(3_600_000, TIMES)
    const known = learned(
      0,
      TIMES.map((time) => time + 3_600_000),
    )
    expect(Math.round(known.at(-1) ?? Number.NaN)).toBe(0)
  })

  test('is not learned from an answer that took long, or none', () => {
    clock.learnHubTime('Mon, 30 Nov 2026 13:00:00 GMT', START, START + 6_000)
    clock.learnHubTime('soon', START, START)
    clock.learnHubTime(null, START, START)
    expect(Math.round(clock.hubNow() - Date.now())).toBe(0)
  })
})
