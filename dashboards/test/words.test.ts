import { afterEach, describe, expect, test } from 'vitest'
import { closeMoment, duration, windowText } from '../src/words'
import { setZone } from '../src/zone'

const utc = (text: string) => Date.parse(text)
const NOW = utc('2026-11-30T17:00:00Z')

afterEach(() => setZone('local'))

describe('times', () => {
  test.each([
    ['2026-11-30T14:03:12.250Z', '14:03:12', '14:03:12.250'],
    ['2026-11-22T14:03:12.250Z', '22 Nov 14:03:12', '22 Nov 14:03:12.250'],
    ['2025-11-22T14:03:12.005Z', '22 Nov 2025 14:03:12', '22 Nov 2025 14:03:12.005'],
  ])('under a crosshair %s has its day, unless it is today', (time, told, close) => {
    setZone('UTC')
    expect([closeMoment(utc(time), NOW), closeMoment(utc(time), NOW, true)]).toEqual([told, close])
  })

  test.each([
    ['2026-11-30T09:00:00Z', '2026-11-30T14:00:00Z', '09:00 – 14:00'],
    ['2026-11-22T14:03:00Z', '2026-11-22T17:03:00Z', '22 Nov 14:03 – 17:03'],
    ['2026-11-22T14:03:05Z', '2026-11-22T14:03:25Z', '22 Nov 14:03:05 – 14:03:25'],
    ['2026-11-30T14:03:05.250Z', '2026-11-30T14:03:05.750Z', '14:03:05.250 – 14:03:05.750'],
    ['2026-11-29T14:00:00Z', '2026-11-30T14:00:00Z', '29 Nov 14:00 – 30 Nov 14:00'],
    ['2026-11-30T00:00:00Z', '2026-12-01T00:00:00Z', '30 Nov 00:00 – 1 Dec 00:00'],
    ['2025-12-31T12:00:00Z', '2026-01-01T12:00:00Z', '31 Dec 2025 12:00 – 1 Jan 12:00'],
  ])('the window %s to %s has two ends that differ: %s', (from, to, told) => {
    setZone('UTC')
    expect(windowText(utc(from), utc(to), NOW)).toBe(told)
  })
})

test.each([
  [50_000, '50 s'],
  [119_000, '1 min'],
  [2 * 3_600_000 - 1_000, '1 h 59 min'],
  [3_600_000, '1 h'],
  [47 * 3_600_000 + 59 * 60_000, '1 d 23 h'],
  [86_400_000 + 59 * 60_000, '1 d'],
])('%i ms last %s', (ms, told) => expect(duration(ms)).toBe(told))
