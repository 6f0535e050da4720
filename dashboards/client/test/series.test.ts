import { expect, test } from 'vitest'
import { Series, seriesKey } from '../src/series.js'

const M = { device: 'd', metric: 'm', labels: {}, unit: '', kind: 'text' as const }

test('the key does not depend on the order of the labels and is not fooled by separators', () => {
  const key = (labels: Record<string, string>) => seriesKey({ device: 'd', metric: 'm', labels })
  expect(key({ a: '1', b: '2' })).toBe(key({ b: '2', a: '1' }))
  expect(key({ a: '1,b' })).not.toBe(key({ a: '1', b: '' }))
})

test('texts that left the ring leave the dictionary', () => {
  const series = new Series(M, 8)
  for (let i = 0; i < 1000; i += 1) series.append(i, `text ${i}`)
  expect(series.last).toEqual([999, 'text 999'])
  expect(Array.from(series.ring.columns().values, (raw) => series.decode(raw))).toEqual(
    [992, 993, 994, 995, 996, 997, 998, 999].map((i) => `text ${i}`),
  )
  expect(Math.max(...series.ring.columns().values)).toBeLessThan(16)
})

test('when the value changed last', () => {
  const series = new Series(M)
  series.append(1, 'idle')
  series.append(2, 'idle')
  expect(series.lastChanged).toEqual({ time: 1, known: false })
  series.append(3, 'busy')
  series.append(4, 'busy')
  expect(series.lastChanged).toEqual({ time: 3, known: true })
})

test('decimals follow what was sent', () => {
  const series = new Series({ ...M, kind: 'gauge' })
  const seen = [20, 20.5, 20, 20.25, 1 / 3].map((v, i) => {
    series.append(i, v)
    return series.decimals
  })
  expect(seen).toEqual([0, 1, 1, 2, 4])
})
