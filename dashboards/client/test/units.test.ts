import { expect, test } from 'vitest'
import { decimalsOf, formatValue, perSecond } from '../src/units.js'

test.each([
  [21.5, '°C', undefined, '21.5 °C'],
  [21.5, 'degC', 2, '21.50 °C'],
  [-3.25, 'celsius', 2, '−3.25 °C'],
  [1_536, 'B', undefined, '1.50 KiB'],
  [2_254_857_830, 'bytes', undefined, '2.10 GiB'],
  [512, 'B', 0, '512 B'],
  [2_630, 'W', 1, '2.63 kW'],
  [0.0042, 'A', 4, '4.20 mA'],
  [1_200_000, 'Hz', 0, '1.20 MHz'],
  [6_900, 's', 0, '1.92 h'],
  [0.0123, 's', 4, '12.3 ms'],
  [42, 's', 0, '42 s'],
  [48.12, '%', 1, '48.1 %'],
  [1_013.25, 'hPa', 2, '1013 hPa'],
  [0, 'W', 0, '0 W'],
  [9_999, '', 0, '9999'],
  [12_345, '', 0, '12.3 k'],
  [0.69456, '', 4, '0.695'],
  [Number.NaN, 'V', 1, '– V'],
  [9.2e17, '', 0, '920 P'],
  [1.2e300, '', 0, '1.20e+300'],
  [3.4e38, 'B', 0, '3.40e+38 B'],
  [9_007_199_254_740_991, 'pulses', 0, '9.01e+15 pulses'],
])('%d %s with %s decimals reads %s', (value, unit, decimals, expected) => {
  expect(formatValue(value, unit, decimals)).toBe(expected)
})

test.each([
  ['B', 'B/s'],
  ['', '/s'],
  ['s', ''],
])('the rate of a counter in %s is in %s', (unit, expected) => expect(perSecond(unit)).toBe(expected))

test.each([
  [20, 0],
  [20.5, 1],
  [0.1 + 0.2, 1],
  [Math.PI, 4],
  [1e15, 0],
])('%d has %i decimals', (value, expected) => expect(decimalsOf(value)).toBe(expected))
