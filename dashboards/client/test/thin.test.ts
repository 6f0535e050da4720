import { expect, test } from 'vitest'
import { Ring } from '../src/ring.js'
import { thin, usualStep } from '../src/thin.js'

function ringOf(count: number, value: (i: number) => number): Ring {
  const ring = new Ring(200_000)
  for (let i = 0; i < count; i += 1) ring.append(i, value(i))
  return ring
}

test('few points pass as they are', () => {
  expect(
    thin(
      ringOf(5, (i) => i),
      1,
      4,
      0,
      5,
      800,
    ),
  ).toEqual({ times: [1, 2, 3], values: [1, 2, 3] })
})

test('at most four points a column, in time order, with every spike, the first and the last', () => {
  const ring = ringOf(100_000, (i) => (i === 54_321 ? 1e6 : i === 77_777 ? -1e6 : Math.sin(i / 500)))
  const { times, values } = thin(ring, 0, ring.length, 0, 100_000, 500)
  expect(times.length).toBeLessThanOrEqual(2000)
  expect(times).toEqual([...times].sort((a, b) => a - b))
  expect([Math.max(...values), Math.min(...values)]).toEqual([1e6, -1e6])
  expect([times[0], times.at(-1)]).toEqual([0, 99_999])
})

test('the usual step is the median, so that a gap does not move it', () => {
  const ring = new Ring()
  for (const t of [0, 10, 20, 500, 510, 520]) ring.append(t, 0)
  expect(usualStep(ring)).toBe(10)
  expect(usualStep(ringOf(2, () => 0))).toBeNaN()
})
