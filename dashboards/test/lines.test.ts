import { Ring } from '@telltale/client'
import { describe, expect, test } from 'vitest'
import { drawLine, tableOf, valueBefore } from '../src/chart/lines'

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
    expect(line).toEqual({ times: [1000, 2000, 3000, 4000], values: [10, 20, null, 1] })
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
    })
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
})
