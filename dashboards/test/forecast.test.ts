import { describe, expect, test, vi } from 'vitest'
import type { Disk } from '../src/hub/disk'
import { type Schemas, told } from '../src/told'

vi.stubGlobal('requestAnimationFrame', () => 0)
const { decodeStatus } = await import('../src/hub/status')
const { forecastText, isShort, usedText } = await import('../src/pages/status/forecast')

const NOW = Date.UTC(2026, 10, 30, 12)
const DAY_S = 86_400
const GIB = 1024 ** 3

function disk(of: object, forecast: object | null = {}): Disk {
  const whole = {
    readings_per_s: 1000,
    measured_s: DAY_S,
    bytes_per_reading: 0.75,
    bytes_per_day: 64.8e6,
    full_of: 'disk',
  }
  const raw = {
    used_bytes: 2 * GIB,
    free_bytes: 60 * GIB,
    size_bytes: 250 * GIB,
    reserve_bytes: 64 * 1024 ** 2,
    max_bytes: null,
    expires_by_age: false,
    forecast: forecast === null ? null : { ...whole, ...forecast },
    ...of,
  }
  const { disk } = decodeStatus(told<Schemas['StatusBody']>({ disk: raw }))
  if (disk === undefined) throw new Error('no disk')
  return disk
}

describe('the disk', () => {
  test.each([
    ['not known', disk({}, null), /^When it is full is not known yet/],
    [
      'in days',
      disk({}, { full_in_s: 132.5 * DAY_S }),
      /last 1 d .* it is full in 132 d, 12 Apr 2027\. Then readings are refused\.$/,
    ],
    ['this year', disk({}, { full_in_s: 3 * DAY_S }), /in 3 d, 3 Dec\. /],
    ['in years', disk({}, { full_in_s: 1000 * DAY_S }), /in 2 years, 26 Aug 2029\. /],
    ['far off', disk({}, { full_in_s: 40_000 * DAY_S }), /not full within a hundred years\.$/],
    ['still', disk({}, { full_in_s: null, full_of: null, readings_per_s: 0 }), /it does not fill\.$/],
    ['by age', disk({ expires_by_age: true }, { full_in_s: DAY_S }), /by their age, so this is the soonest\.$/],
    [
      'bounded',
      disk({}, { full_in_s: DAY_S, full_of: 'max_bytes' }),
      /max_bytes is reached in 1 d, 1 Dec\. Then the oldest days go\.$/,
    ],
    [
      'at the bound',
      disk({}, { full_in_s: 0, full_of: 'max_bytes' }),
      /^\[store\] max_bytes is reached: the oldest days go\.$/,
    ],
  ])('%s', (_, told, expected) => expect(forecastText(told, NOW)).toMatch(expected))

  test('what is taken, and of what', () => {
    expect(usedText(disk({}))).toBe('The hub takes 2.00 GiB, on a disk of 250 GiB.')
    expect(usedText(disk({ max_bytes: 4 * GIB, size_bytes: null }))).toBe(
      'The hub takes 2.00 GiB of 4.00 GiB that it may take.',
    )
  })

  test('is short when little is left, or soon', () => {
    expect(isShort(disk({}, null))).toBe(false)
    expect(isShort(disk({ free_bytes: 12 * GIB }, null))).toBe(true)
    expect(isShort(disk({}, { full_in_s: 6 * DAY_S }))).toBe(true)
    expect(isShort(disk({}, { full_in_s: 6 * DAY_S, full_of: 'max_bytes' })), 'old days go, as was asked for').toBe(
      false,
    )
  })
})
