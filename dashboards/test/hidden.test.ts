import { seriesKey } from '@telltale/client'
import { expect, test } from 'vitest'
import { codeOf, hiddenOf, hiddenText, toggled } from '../src/chart/hidden'
import { hiddenKeys } from '../src/chart/use-hidden'

const keyOf = (cpu: number, device = 'pump') => seriesKey({ device, metric: 'cpu', labels: { cpu: `cpu${cpu}` } })
const keys = [0, 1, 2].map((cpu) => keyOf(cpu))

test.each([
  [keyOf(0), 'PZZXj'],
  [seriesKey({ device: 'Küche 🍳', metric: 'temp', labels: {} }), 'YY_F9'],
])('links are kept: %s is %s for ever', (key, code) => expect(codeOf(key)).toBe(code))

test('twenty thousand series that differ in a digit have codes of their own', () => {
  const codes = new Set(Array.from({ length: 20_000 }, (_, i) => codeOf(keyOf(i % 100, `pump-${Math.floor(i / 100)}`))))
  expect(codes.size).toBe(20_000)
})

test('a line is switched off and on again, and a link says it in five letters', () => {
  const one = toggled(hiddenOf(''), keyOf(1), keys)
  expect(hiddenText(one)).toBe(codeOf(keyOf(1)))
  const two = toggled(hiddenOf(hiddenText(one)), keyOf(2), keys)
  expect(hiddenText(two)).toHaveLength(10)
  expect(hiddenText(toggled(two, keyOf(1), keys))).toBe(codeOf(keyOf(2)))
})

test('of series that are not there any more nothing is left in the link', () => {
  const off = hiddenOf(codeOf(keyOf(7)) + codeOf(keyOf(0)))
  expect(hiddenText(toggled(off, keyOf(1), keys))).toBe(codeOf(keyOf(0)) + codeOf(keyOf(1)))
})

test.each([
  ['', 0],
  ['abc', 0],
  ['%%%%%', 0],
  ['abcdeXY', 1],
  ['abcdeabcde', 1],
])('%j of a link is %i lines', (text, count) => expect(hiddenOf(text).size).toBe(count))

test('a line that is alone is shown: it has no legend to switch it on again', () => {
  const off = hiddenOf(codeOf(keyOf(0)))
  expect([...hiddenKeys(keys, off)]).toEqual([keyOf(0)])
  expect(hiddenKeys([keyOf(0)], off).size).toBe(0)
})
