import { afterEach, describe, expect, test } from 'vitest'
import { stepsOf, ticksWithin, timeSpace, valueRange, valueTicks } from '../src/chart/axes'
import { setZone } from '../src/zone'

const utc = (text: string) => Date.parse(text)
const HOUR = 3_600_000

afterEach(() => setZone('local'))

describe('ticks of values', () => {
  test.each([
    [[0, 1_800, 3_600, 5_400], 's', ['0.0 h', '0.5 h', '1.0 h', '1.5 h']],
    [[60, 62, 64], 's', ['60 s', '62 s', '64 s']],
    [[86_400, 97_200], 's', ['24 h', '27 h']],
    [[2 ** 30, 2 ** 30 + 2 ** 19], 'B', ['1024.0 MiB', '1024.5 MiB']],
    [[0, 500, 1_000], 'W', ['0.0 kW', '0.5 kW', '1.0 kW']],
    [[1_000_000, 1_000_005], 'W', ['1000.000 kW', '1000.005 kW']],
    [[0.001, 0.002], 'A', ['1 mA', '2 mA']],
    [[9.005e15, 9.0075e15], 'pulses', ['9.005e15 pulses', '9.0075e15 pulses']],
    [[-2e300, 0, 2e300], '', ['−2e300', '0', '2e300']],
    [[0, 2e-8, 4e-8], '°C', ['0 °C', '2e−8 °C', '4e−8 °C']],
    [[1, 2], 'a unit that is too long', ['1', '2']],
  ])('%j %s have a prefix in which their distance is plain', (values, unit, told) =>
    expect(valueTicks(values, unit)).toEqual(told),
  )

  test('seconds stand on whole minutes, hours and days, bytes on powers of two, however they are written', () => {
    const seconds = stepsOf('s') ?? []
    expect(seconds).toEqual([...seconds].sort((a, b) => a - b))
    for (const step of [0.5, 15, 60, 1_800, 21_600, 86_400, 172_800]) expect(seconds).toContain(step)
    for (const step of [20, 100, 2_000]) expect(seconds).not.toContain(step)
    for (const unit of ['B', 'bytes', 'B/s']) expect(stepsOf(unit)).toContain(1_024)
    expect(stepsOf('W')).toContain(2.5e35)
  })

  test('what is nothing but zero has an axis to one', () => expect(valueRange(0, 0)).toEqual([0, 1]))

  test.each([
    [Number.NEGATIVE_INFINITY, 1],
    [-1.7e308, 1.7e308],
    [1.79e308, 1.79e308],
    [0, Number.MAX_VALUE],
    [-5e-320, 5e-320],
    [0, 0],
  ])('from %d to %d an axis has two ends, and a length that is a number', (low, high) => {
    const [from, to] = valueRange(low, high)
    expect(to).toBeGreaterThan(from)
    expect(Number.isFinite(to - from)).toBe(true)
  })
})

describe('ticks of time', () => {
  test('texts that are longer have more room', () => {
    const spaces = [0.3, 20, 900, 86_400, 365 * 86_400].map((seconds) => timeSpace(seconds, 400))
    expect(spaces).toEqual([88, 64, 52, 52, 64])
  })

  const texts = (from: string, to: string, pixels = 500) =>
    ticksWithin(utc(from), utc(to), pixels).map(({ text }) => text)

  test('stand on round times of the zone', () => {
    setZone('Asia/Kathmandu')
    expect(texts('2026-11-30T12:01:00Z', '2026-11-30T13:01:00Z', 300)).toEqual(['18:00', '18:15', '18:30', '18:45'])
    setZone('UTC')
    expect(texts('2026-11-30T12:00:00.000Z', '2026-11-30T12:00:00.300Z', 300)).toEqual([
      '12:00:00.000',
      '12:00:00.100',
      '12:00:00.200',
      '12:00:00.300',
    ])
    expect(texts('2026-01-15T00:00:00Z', '2026-07-15T00:00:00Z')).toEqual([
      'Feb 2026',
      'Mar 2026',
      'Apr 2026',
      'May 2026',
      'Jun 2026',
      'Jul 2026',
    ])
  })

  test('a day on which the clock changes keeps its round times, each once', () => {
    setZone('Europe/Berlin')
    // 2026-10-25 has 25 hours there, 2026-03-29 has 23.
    const long = ticksWithin(utc('2026-10-24T22:00:00Z'), utc('2026-10-25T23:00:00Z'), 500)
    expect(long.map(({ text }) => text)).toEqual([
      '25 Oct',
      '03:00',
      '06:00',
      '09:00',
      '12:00',
      '15:00',
      '18:00',
      '21:00',
      '26 Oct',
    ])
    expect((long[1]?.time ?? 0) - (long[0]?.time ?? 0), 'four hours between midnight and three').toBe(4 * HOUR)
    const short = ticksWithin(utc('2026-03-28T23:00:00Z'), utc('2026-03-29T22:00:00Z'), 1_500)
    const times = short.map(({ time }) => time)
    expect(new Set(times).size).toBe(times.length)
    expect(times).toEqual([...times].sort((a, b) => a - b))
  })

  test.each([1, 50, 300, 3_000])('never more than there is room for, over %i pixels', (pixels) => {
    setZone('UTC')
    for (let length = 5; length < 2e12; length *= 3) {
      const found = ticksWithin(utc('2026-11-30T12:00:00Z'), utc('2026-11-30T12:00:00Z') + length, pixels)
      expect(found.length, `${length} ms`).toBeLessThanOrEqual(Math.floor(pixels / 52) + 1)
    }
  })
})
