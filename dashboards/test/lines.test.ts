import { Ring } from '@telltale/client'
import { describe, expect, test } from 'vitest'
import { gapsOf, silences } from '../src/chart/gaps'
import { drawLine } from '../src/chart/lines'
import { staleSince } from '../src/chart/stale'
import { commonGaps, gapAt, lastUpTo, markPlace, tableOf, valueBefore } from '../src/chart/table'

const NONE = { times: [], values: [] }
function ringOf(points: [number, number][]): Ring {
  const ring = new Ring()
  for (const [t, v] of points) ring.append(t, v)
  return ring
}
function everySecond(from: number, to: number): [number, number][] {
  const points: [number, number][] = []
  for (let t = from; t <= to; t += 1000) points.push([t, t / 1000])
  return points
}
const draw = (ring: Ring, extra: object = {}) =>
  drawLine({ older: NONE, ring, cover: 0, counter: false, olderColumn: 0, ...extra }, 0, 60_000, 800)

describe('lines', () => {
  test('a silence of several usual steps breaks the line, one missed reading does not', () => {
    const line = draw(ringOf([...everySecond(0, 5000), ...everySecond(7000, 9000), ...everySecond(20_000, 22_000)]))
    expect(line.times.filter((_, i) => line.values[i] === null)).toEqual([14_500])
  })

  test('older history is drawn up to where the ring is complete, without overlap', () => {
    const older = { times: [0, 1000, 2000, 3000, 4000], values: [10, 11, 12, 13, 14] }
    const line = draw(ringOf(everySecond(3000, 6000)), { older, cover: 2500 })
    expect(line.times).toEqual([0, 1000, 2000, 3000, 4000, 5000, 6000])
    expect(line.values).toEqual([10, 11, 12, 3, 4, 5, 6])
  })

  test('thinned history is not taken for gaps', () => {
    const older = { times: [0, 5000, 10_000, 14_000, 20_000], values: [1, 2, 1, 2, 1] }
    const line = draw(ringOf(everySecond(24_000, 30_000)), { older, cover: 23_500, olderColumn: 5000 })
    expect(line.values).not.toContain(null)
  })

  test('one point more on each side lets the line reach the edges', () => {
    const ring = ringOf(everySecond(0, 100_000))
    const line = drawLine({ older: NONE, ring, cover: 0, counter: false, olderColumn: 0 }, 10_500, 12_500, 800)
    expect(line.times).toEqual([10_000, 11_000, 12_000, 13_000])
  })

  test('a counter is drawn as its rate, and a reset breaks the line', () => {
    const line = draw(
      ringOf([
        [0, 0],
        [1000, 10],
        [2000, 30],
        [3000, 5],
        [4000, 6],
      ]),
      { counter: true },
    )
    expect(line).toEqual({ times: [1000, 2000, 3000, 4000], values: [10, 20, null, 1], gaps: [] })
    const energy = draw(
      ringOf([
        [0, 0],
        [1000, 2],
      ]),
      { counter: true, rateFactor: 3_600 },
    )
    expect(energy.values, '2 Wh in a second').toEqual([7_200])
  })

  test('lines with other times share one time column', () => {
    const a = { times: [1000, 3000], values: [1, 3] }
    const b = { times: [2000, 2500, 3000], values: [2, null, 4] }
    expect(tableOf([a, b])).toEqual({
      data: [
        [1, 2, 2.5, 3],
        [1, undefined, undefined, 3],
        [undefined, 2, null, 4],
      ],
      lonely: [[], [1, 3]],
      gaps: [[], []],
      silences: [],
    })
  })

  test('a line is broken over all of its silence, also where another line goes on', () => {
    const silent = { times: [1000, 2500, 4000, 5000], values: [1, null, 4, 5] }
    const steady = { times: [1000, 2000, 3000, 4000, 4500, 5000], values: [1, 2, 3, 4, 4, 5] }
    const { data } = tableOf([silent, steady])
    expect(data[0]).toEqual([1, 2, 2.5, 3, 4, 4.5, 5])
    // Where it is `undefined` the chart draws on from the point before.
    expect(data[1]).toEqual([1, null, null, null, 4, undefined, 5])
  })

  test.each([
    [500, null],
    [1000, 1],
    [1999, 1],
    [2000, null],
    [9999, 3],
  ])('under the crosshair at %i stands %s', (time, expected) => {
    expect(valueBefore({ times: [1000, 2000, 3000], values: [1, null, 3] }, time)).toBe(expected)
  })

  test('under the crosshair in a gap stands nothing, and on its ends the readings', () => {
    const line = draw(ringOf([...everySecond(0, 5000), ...everySecond(20_000, 22_000)]))
    expect(line.gaps).toEqual([{ from: 5000, to: 20_000 }])
    expect([4999, 5000, 5001, 19_999, 20_000].map((time) => valueBefore(line, time))).toEqual([4, 5, null, null, 20])
    expect(gapAt(line.gaps ?? [], 6000)).toEqual({ from: 5000, to: 20_000 })
  })

  test('the newest value of a window is the last in it, not the point behind that the line goes on to', () => {
    const ring = ringOf([...everySecond(0, 5000), ...everySecond(20_000, 22_000)])
    const line = drawLine({ older: NONE, ring, cover: 0, counter: false, olderColumn: 0 }, 0, 4000, 800)
    expect(line.values.at(-1)).toBe(4)
    const silent = drawLine({ older: NONE, ring, cover: 0, counter: false, olderColumn: 0 }, 3000, 10_000, 800)
    expect(silent.values.at(-1)).toBe(20)
    expect([2999, 4000, 10_000, 19_000, 20_000].map((to) => lastUpTo(silent, to))).toEqual([2, 4, 5, 5, 20])
    expect(lastUpTo({ times: [], values: [] }, 10)).toBeNull()
  })

  test('a silence at the end is a gap as far as readings are known, and a short one is none', () => {
    const until = (to: number, known: number | undefined) =>
      drawLine(
        {
          older: NONE,
          ring: ringOf(everySecond(0, 20_000)),
          cover: 0,
          counter: false,
          olderColumn: 0,
          ...(known && { known }),
        },
        0,
        to,
        800,
      ).gaps
    expect(until(300_000, 81_000)).toEqual([{ from: 20_000, to: 81_000, open: true }])
    expect(until(300_000, 80_000), 'readings may be under way').toEqual([])
    expect(until(60_000, 90_000)).toEqual([{ from: 20_000, to: 60_000, open: true }])
    expect(until(22_000, 90_000)).toEqual([])
    expect(until(300_000, undefined), 'what is not known is not told').toEqual([])
  })
})

test('between older history and the ring is no gap while history does not reach it', () => {
  const times = everySecond(0, 20_000).map(([time]) => time)
  const older = { times, values: times }
  const ring = ringOf(everySecond(60_000, 80_000))
  const gaps = (to: number, known: number) =>
    drawLine({ older, ring, cover: 60_000, counter: false, olderColumn: 100, known }, 0, to, 800).gaps
  expect(gaps(90_000, 20_500)).toEqual([])
  expect(gaps(90_000, 90_000)).toEqual([{ from: 20_000, to: 60_000 }])
  expect(gaps(40_000, 20_500), 'nor at the end of a window before the ring').toEqual([])
  expect(gaps(40_000, 90_000)).toEqual([{ from: 20_000, to: 40_000, open: true }])
})

describe('several lines of a chart', () => {
  const line = (gaps: [number, number, boolean?][], times = [0]) => ({
    times,
    values: times.map(() => 1),
    gaps: gaps.map(([from, to, open]) => (open ? { from, to, open } : { from, to })),
  })

  test('are silent together only where all of them are; one without readings does not count', () => {
    const a = line([
      [10, 40],
      [60, 90, true],
    ])
    const b = line([
      [20, 50],
      [70, 90, true],
    ])
    const common = [
      { from: 20, to: 40 },
      { from: 70, to: 90, open: true },
    ]
    expect(commonGaps([a, b, line([], [])])).toEqual(common)
    expect(commonGaps([a, line([])])).toEqual([])
    expect(commonGaps([])).toEqual([])
  })

  test('have their marks on the point that is read out, though the points of others lie between', () => {
    const table = tableOf([
      { times: [1000, 4000], values: [1, 4] },
      { times: [2000, 3000], values: [2, 3], gaps: [{ from: 3000, to: 9000, open: true }] },
    ])
    expect([0.5, 1, 3.5, 4].map((s) => markPlace(table, 0, s))).toEqual([null, 0, 0, 3])
    expect([1.5, 2.5, 3, 3.5].map((s) => markPlace(table, 1, s))).toEqual([null, 1, 2, null])
  })

  test('are listed by their silences, together where they were silent together', () => {
    const times = (from: number, to: number) => everySecond(from, to).map(([time]) => time)
    const of = (...all: number[][]) => {
      const joined = all.flat()
      return gapsOf({ times: joined, values: joined.map(() => 0) }, 100, 0, 90_000, 90_000)
    }
    const found = new Map([
      ['a', of(times(0, 9000), times(30_000, 90_000))],
      ['b', of(times(0, 9100), times(30_100, 90_000))],
      ['c', of(times(0, 20_000))],
    ])
    expect(silences(found, 100)).toEqual([
      { from: 20_000, to: 90_000, open: true, of: ['c'] },
      { from: 9000, to: 30_000, of: ['a', 'b'] },
    ])
  })
})

describe('a series is stale', () => {
  const steps = (ms: number) => ({ length: 5, timeAt: (i: number) => i * ms, valueAt: () => 0 })
  test.each([
    ['after a minute, when it comes each second', 0, steps(1000), 'online', 61_000, 0],
    ['not before a minute', 0, steps(1000), 'offline', 60_000, undefined],
    ['not within three of its steps', 0, steps(60_000), 'silent', 180_000, undefined],
    ['after three of its steps', 0, steps(60_000), 'online', 180_001, 0],
    ['with its device, when its step is not known', 5, undefined, 'silent', 70_000, 5],
    ['not on a device that is online, when its step is not known', 5, undefined, 'online', 70_000, undefined],
    ['never without a reading', undefined, steps(1), 'offline', 9e9, undefined],
  ] as const)('%s', (_, last, recent, state, now, expected) =>
    expect(staleSince(last, recent, state, now)).toBe(expected),
  )
})
