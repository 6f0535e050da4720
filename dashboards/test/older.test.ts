import { afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import { shifted, shiftedPoints, shiftedWindow } from '../src/chart/earlier'
import type { Older } from '../src/chart/older'
import type { Ask } from '../src/chart/question'

const SECOND = 1000
const HOUR = 3_600_000
const DAY = 24 * HOUR
const utc = (text: string) => Date.parse(text)

let make: (ask: Ask, before?: Older) => Older
let wholeColumns: typeof import('../src/chart/question').wholeColumns
/** The questions that the hub was asked. */
let asked: URL[] = []
let answer: () => Response = () => Response.json({ series: [] })
/** Of `wants`; elsewhere time passes. */
let clock: number | undefined

function stubFetch(): void {
  vi.stubGlobal('fetch', async (path: string) => {
    asked.push(new URL(path, 'http://hub/'))
    return answer()
  })
}

beforeAll(async () => {
  vi.stubGlobal('requestAnimationFrame', () => 0)
  stubFetch()
  const older = await import('../src/chart/older')
  make = (ask, before) => new older.Older(ask, before, () => clock ?? performance.now())
  wholeColumns = (await import('../src/chart/question')).wholeColumns
})

afterEach(() => {
  asked = []
  clock = undefined
  answer = () => Response.json({ series: [] })
})

const settled = () => new Promise((done) => setTimeout(done, 0))
const BUCKETS = { every: '1h', agg: 'rate', tz: 'UTC' }
const NEVER = Number.POSITIVE_INFINITY

/** Wants [from, to] at each of the times; gives how often the hub was asked. */
async function wants(older: Older, from: number, to: number, cover: number, times: readonly number[]): Promise<number> {
  for (const now of times) {
    clock = now
    older.want(from, to, cover, 100, now)
    await settled()
  }
  return asked.length
}

describe('history beside the rings', () => {
  test('buckets of a day that is not over are asked for again as it goes on', async () => {
    const older = make({ select: ['d/m'], buckets: BUCKETS })
    const noon = 12 * HOUR
    expect(await wants(older, 0, DAY, 0, [noon, noon + 30 * SECOND])).toBe(1)
    expect(await wants(older, 0, DAY, 0, [noon + 61 * SECOND])).toBe(2)
  })

  test('without a selector nothing is asked', async () => {
    expect(await wants(make({ select: [] }), 0, DAY, DAY, [DAY])).toBe(0)
  })

  test('of a day that is over they are not', async () => {
    const older = make({ select: ['d/m'], buckets: BUCKETS })
    expect(await wants(older, 0, DAY, 0, [2 * DAY, 3 * DAY])).toBe(1)
  })

  test('the day before is over, so it is asked for once', async () => {
    const older = make({ select: ['d/m'], earlier: { days: 1, zone: 'UTC' } })
    expect(await wants(older, 10 * DAY, 11 * DAY, 0, [10.5 * DAY, 10.5 * DAY + HOUR])).toBe(1)
    expect(asked[0]?.searchParams.get('to')).toBe(`${10 * DAY}ms`)
    older.touch({ from: 9.5 * DAY, to: 9.5 * DAY })
    expect(await wants(older, 10 * DAY, 11 * DAY, 0, [10.6 * DAY])).toBe(2)
  })

  test('what failed is asked for again, though an older answer would do', async () => {
    const older = make({ select: ['d/m'] })
    await wants(older, 0, HOUR, HOUR, [HOUR])
    older.touch({ from: 0, to: 1 })
    answer = () => Response.json({ error: { code: 'too_slow', message: 'no' } }, { status: 503 })
    await wants(older, 0, HOUR, HOUR, [HOUR + SECOND])
    expect(older.error).toBe('No.')
    answer = () => Response.json({ series: [] })
    expect(await wants(older, 0, HOUR, HOUR, [HOUR + 2 * SECOND, HOUR + 5 * SECOND])).toBe(3)
    expect(older.error).toBe('')
  })

  test('an answer that breaks off is an error, not an empty chart', async () => {
    const older = make({ select: ['d/m'] })
    answer = () => new Response('{"series":[{"device":"d"', { status: 200 })
    await wants(older, 0, HOUR, HOUR, [HOUR])
    expect([older.answer, older.error]).toEqual([undefined, 'The answer of the hub broke off. It is asked again.'])
  })

  test('steady late readings: asked for again at most once a second, and the last of them is asked for too', async () => {
    const older = make({ select: ['d/m'] })
    for (let i = 0; i < 40; i += 1) {
      older.touch({ from: 0, to: HOUR })
      await wants(older, 0, HOUR, HOUR, [HOUR + i * 100])
    }
    expect(asked.length).toBe(4)
    expect(await wants(older, 0, HOUR, HOUR, [HOUR + 5 * SECOND, HOUR + 30 * SECOND])).toBe(5)
  })

  test('a question that nobody waits for any more is given up for the next, not for each step of a hand', async () => {
    vi.useFakeTimers()
    try {
      const signals: AbortSignal[] = []
      vi.stubGlobal('fetch', (path: string, { signal }: { signal: AbortSignal }) => {
        asked.push(new URL(path, 'http://hub/'))
        signals.push(signal)
        return new Promise((_, failed) => signal.addEventListener('abort', () => failed(signal.reason)))
      })
      const older = make({ select: ['d/m'] })
      for (let i = 0; i < 10; i += 1) {
        older.want(i * HOUR, (i + 1) * HOUR, NEVER, 100, DAY)
        await vi.advanceTimersByTimeAsync(50)
      }
      await vi.advanceTimersByTimeAsync(5_000)
      older.want(9 * HOUR, 10 * HOUR, NEVER, 100, DAY)
      await vi.advanceTimersByTimeAsync(0)
      expect(signals.map(({ aborted }) => aborted)).toEqual([true, true, false])
      expect([asked.at(-1)?.searchParams.get('to'), older.error, older.busy]).toEqual([`${10 * HOUR}ms`, '', true])
    } finally {
      vi.useRealTimers()
      stubFetch()
    }
  })

  test('a chart that is scrolled past gives up its question, and asks anew when it is seen again', async () => {
    const signals: AbortSignal[] = []
    vi.stubGlobal('fetch', (_: string, { signal }: { signal: AbortSignal }) => {
      signals.push(signal)
      return new Promise((_, failed) => signal.addEventListener('abort', () => failed(signal.reason)))
    })
    try {
      const older = make({ select: ['d/m'] })
      await wants(older, 0, HOUR, HOUR, [HOUR])
      older.leave()
      await settled()
      expect([older.busy, older.rests, older.error, signals.map(({ aborted }) => aborted)]).toEqual([
        false,
        true,
        '',
        [true],
      ])
      await wants(older, 0, HOUR, HOUR, [HOUR + 20])
      expect([older.busy, signals.map(({ aborted }) => aborted)]).toEqual([true, [true, false]])
      older.stop()
    } finally {
      stubFetch()
    }
  })

  test('where the time that is shown stands still, every other window is asked for, and what failed again', async () => {
    const older = make({ select: ['d/m'], buckets: BUCKETS })
    await wants(older, 0, DAY, NEVER, [DAY])
    const zoomOut = async (from: number, clockMs: number) => {
      clock = DAY + clockMs
      older.want(from, DAY, NEVER, 100, DAY)
      await settled()
      return asked.length
    }
    expect(await zoomOut(-DAY, 2 * SECOND)).toBe(2)
    answer = () => Response.json({ error: { code: 'draining', message: 'no' } }, { status: 503 })
    expect(await zoomOut(-3 * DAY, 4 * SECOND)).toBe(3)
    answer = () => Response.json({ series: [] })
    expect(await zoomOut(-3 * DAY, 8 * SECOND)).toBe(4)
    expect([older.error, older.answered]).toEqual(['', 3])
  })

  test('what is on its way is not known yet, and no window is empty before it is', async () => {
    const older = make({ select: ['d/m'] })
    older.want(0, DAY, 12 * HOUR, 100, DAY)
    expect(older.knows(0, DAY, 12 * HOUR)).toBe(false)
    await settled()
    expect(older.knows(0, DAY, 12 * HOUR), 'the rings have the rest').toBe(true)
    expect(older.knows(2 * HOUR, DAY + HOUR, 12 * HOUR), 'it slides').toBe(true)
    expect([older.knows(-DAY, 0, NEVER), older.knows(-DAY, 0, 0), older.knows(DAY, 2 * DAY, NEVER)]).toEqual([
      false,
      false,
      false,
    ])
    older.want(13 * HOUR, DAY, 12 * HOUR, 100, DAY)
    expect(older.knows(13 * HOUR, DAY, 12 * HOUR), 'the rings have all').toBe(true)
  })

  test('of other series that are asked for alike the old picture stays, and is not taken for an answer', async () => {
    const one = { device: 'd', metric: 'm', labels: {}, points: [[HOUR, 2]] }
    answer = () => Response.json({ series: [one] })
    const before = make({ select: ['d/m'] })
    await wants(before, 0, DAY, NEVER, [DAY])
    const after = make({ select: ['d/m', 'd/n'] }, before)
    expect(after.answer?.series.size).toBe(1)
    expect(after.knows(0, DAY, NEVER), 'of the others nothing is known yet').toBe(false)
    expect(await wants(after, 0, DAY, NEVER, [DAY]), 'it is asked for').toBe(2)
    expect(after.knows(0, DAY, NEVER)).toBe(true)
    expect(
      make({ select: ['d/m'], buckets: BUCKETS }, before).answer,
      'summed up it is another picture',
    ).toBeUndefined()
  })

  test('without rings a window that slides is asked for at most once a second', async () => {
    const older = make({ select: ['d/m'] })
    for (let i = 0; i < 30; i += 1) await wants(older, i * 100, 60_000 + i * 100, NEVER, [60_000 + i * 100])
    expect(asked.length).toBe(3)
  })

  test('a bucket without a value is no point', async () => {
    const one = {
      device: 'd',
      metric: 'm',
      labels: {},
      points: [
        [0, null],
        [HOUR, 2],
      ],
    }
    answer = () => Response.json({ series: [one] })
    const older = make({ select: ['d/m'], buckets: BUCKETS })
    await wants(older, 0, DAY, 0, [2 * DAY])
    expect([older.error, [...(older.answer?.series.values() ?? [])][0]?.times]).toEqual(['', [HOUR]])
  })
})

describe('columns of what is summed up', () => {
  const columns = (from: number, to: number, points: number) => {
    const found = wholeColumns(from, to, points)
    return { ...found, column: (found.to - found.from) / found.points }
  }

  test.each([
    ['an hour is asked for as it is', 7, HOUR + 7, 100, 36 * SECOND],
    ['columns of 500 s become 8 minutes', 7, 7 + 2000 * 500 * SECOND, 2000, 480 * SECOND],
    ['those of two months become quarters of an hour', 12_345, 12_345 + 61 * DAY, 1000, 1.25 * HOUR],
    ['those of a year become hours', 12_345, 12_345 + 365 * DAY, 2000, 4 * HOUR],
    ['those of ten years too', 12_345, 12_345 + 3650 * DAY, 2000, 43 * HOUR],
  ])('%s', (_, from, to, points, column) => {
    const found = columns(from, to, points)
    expect(found.column).toBe(column)
    expect(found.from <= from && found.to >= to).toBe(true)
    expect(found.points).toBeLessThanOrEqual(points * 1.25 + 1)
    if (column > 60 * SECOND) expect([found.from % column, found.to % column]).toEqual([0, 0])
  })

  test('they stay where they are while a window slides', async () => {
    const older = make({ select: ['d/m'] })
    const days = (n: number) => 100 * DAY + n * 70 * SECOND
    for (const n of [0, 1]) await wants(older, days(n), days(n) + 30 * DAY, NEVER, [days(n) + 30 * DAY + n * HOUR])
    const edges = asked.map((url) => Number.parseInt(url.searchParams.get('from') ?? '', 10) % (7 * HOUR))
    expect(edges).toEqual([0, 0])
  })
})

describe('an earlier day over a later one', () => {
  const zone = 'Europe/Berlin'
  // The clock went forward on 29 March 2026 at 2:00, and back on 25 October at 3:00.
  test('noon is beside noon across a change of the clock', () => {
    expect(shifted(utc('2026-03-29T10:00:00.250Z'), -1, zone)).toBe(utc('2026-03-28T11:00:00.250Z'))
    expect(shifted(utc('2026-10-24T10:00:00Z') + 0.5, 7, zone)).toBe(utc('2026-10-31T11:00:00Z') + 0.5)
    expect(shifted(utc('2026-10-25T12:00:00Z'), -1, 'UTC')).toBe(utc('2026-10-24T12:00:00Z'))
  })

  test('a whole day of 25 hours is compared with one of 24', () => {
    const window = shiftedWindow(utc('2026-10-24T22:00:00Z'), utc('2026-10-25T23:00:00Z'), { days: 1, zone })
    expect(window).toEqual({ from: utc('2026-10-23T22:00:00Z'), to: utc('2026-10-24T22:00:00Z') })
  })

  test('an hour that came twice is shown once, one that is left out not at all', () => {
    const hours = (from: string, count: number) =>
      Array.from({ length: count }, (_, i): [number, number] => [utc(from) + i * HOUR, i])
    const twice = shiftedPoints(hours('2026-10-24T23:00:00Z', 5), { days: 1, zone })
    expect(twice.map(([, value]) => value)).toEqual([0, 1, 3, 4])
    const out = shiftedPoints(hours('2026-03-28T00:00:00Z', 4), { days: 1, zone })
    expect(out.map(([, value]) => value)).toEqual([0, 2, 3])
    for (const points of [twice, out]) {
      const times = points.map(([time]) => time)
      expect(times).toEqual([...times].sort((a, b) => a - b))
    }
  })
})
