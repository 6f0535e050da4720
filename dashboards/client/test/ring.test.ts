import { describe, expect, test } from 'vitest'
import { Ring } from '../src/ring.js'

function ringOf(points: [number, number][], bound = 100): Ring {
  const ring = new Ring(bound)
  for (const [t, v] of points) ring.append(t, v)
  return ring
}
const held = (ring: Ring) => Array.from(ring.columns().times, (t, i) => [t, ring.valueAt(i)])

/** Numbers that look random and are the same in each run. */
function seeded(seed: number): () => number {
  let state = seed
  return () => {
    state = (state * 1_664_525 + 1_013_904_223) % 4_294_967_296
    return state / 4_294_967_296
  }
}

describe('ring', () => {
  test('grows up to its bound, then drops the oldest and says so', () => {
    const ring = new Ring(70)
    for (let i = 0; i < 200; i += 1) ring.append(i, i * 2)
    expect([ring.length, ring.firstTime, ring.lastTime, ring.droppedUpTo]).toEqual([70, 130, 199, 129])
    expect(ring.valueAt(0)).toBe(260)
  })

  test('a late point goes to its place, an equal time is overwritten', () => {
    const ring = ringOf([
      [1, 1],
      [3, 3],
      [5, 5],
    ])
    ring.put(4, 40)
    ring.put(3, 30)
    ring.put(0, 0)
    expect(held(ring)).toEqual([
      [0, 0],
      [1, 1],
      [3, 30],
      [4, 40],
      [5, 5],
    ])
  })

  test('two readings with one JSON time at the end are both kept', () => {
    expect(
      held(
        ringOf([
          [1, 1],
          [1, 2],
        ]),
      ),
    ).toEqual([
      [1, 1],
      [1, 2],
    ])
  })

  test('replace forgets both ends of its range', () => {
    const ring = ringOf([
      [1, 1],
      [2, 2],
      [3, 3],
      [4, 4],
      [5, 5],
    ])
    ring.replace(2, 4, [2.5, 3.5], [25, 35])
    expect(held(ring)).toEqual([
      [1, 1],
      [2.5, 25],
      [3.5, 35],
      [5, 5],
    ])
    ring.replace(0, 9, [], [])
    expect(ring.length).toBe(0)
    expect(ring.lastTime).toBeNaN()
  })

  test('what is older than a full ring holds is not put back as an island', () => {
    const ring = ringOf(
      [
        [1, 1],
        [2, 2],
        [3, 3],
        [4, 4],
      ],
      3,
    )
    expect(ring.droppedUpTo).toBe(1)
    ring.put(0.5, 9)
    ring.replace(0, 2, [0.5, 1, 2], [9, 9, 22])
    expect(held(ring)).toEqual([
      [2, 22],
      [3, 3],
      [4, 4],
    ])
  })

  test('bounds are found across the seam', () => {
    const ring = new Ring(64)
    for (let i = 0; i < 100; i += 1) ring.append(i, i)
    expect([ring.lowerBound(50), ring.upperBound(50), ring.lowerBound(-1), ring.upperBound(1000)]).toEqual([
      14, 15, 0, 64,
    ])
  })

  test('a thousand random changes leave the same as a map does', () => {
    const random = seeded(7)
    const ring = new Ring(10_000)
    const map = new Map<number, number>()
    for (let i = 0; i < 1000; i += 1) {
      const time = Math.floor(random() * 400)
      if (random() < 0.8) {
        ring.put(time, i)
        map.set(time, i)
      } else {
        const to = time + Math.floor(random() * 20)
        const inside = [time + (to - time) / 2]
        ring.replace(time, to, inside, [i])
        for (const t of [...map.keys()]) if (t >= time && t <= to) map.delete(t)
        for (const t of inside) map.set(t, i)
      }
    }
    expect(held(ring)).toEqual([...map.entries()].sort(([a], [b]) => a - b))
  })
})
