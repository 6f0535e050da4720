import { expect, test } from 'vitest'
import { calendarOf, withCalendar } from '../src/told-zone'

const put = (query: string, zone: string, week?: number) =>
  withCalendar(new URLSearchParams(query), { zone, week })?.toString()

test.each([
  ['range=today', 'local', undefined, undefined],
  ['range=today', 'UTC', undefined, 'range=today&tz=UTC'],
  ['range=today&tz=UTC', 'UTC', undefined, undefined],
  ['range=today&tz=UTC', 'local', undefined, 'range=today'],
  ['select=a%2F*&every=1d&tz=UTC', 'Asia/Kathmandu', undefined, 'select=a%2F*&every=1d&tz=Asia%2FKathmandu'],
  ['range=week', 'local', 7, 'range=week&week=7'],
  ['range=1h', 'local', 7, undefined],
  ['every=1w', 'local', 1, 'every=1w&week=1'],
  ['range=1h&week=7', 'local', 7, 'range=1h'],
] as const)('%j in %s, weeks from %s on, is told as %j', (query, zone, week, told) =>
  expect(put(query, zone, week)).toBe(told),
)

test('what a link says of the calendar is read, and nothing else', () => {
  expect(calendarOf(new URLSearchParams('tz=UTC&week=7'))).toEqual({ zone: 'UTC', week: 7 })
  expect(calendarOf(new URLSearchParams(''))).toEqual({ zone: undefined, week: undefined })
  for (const week of ['0', '8', '1.5', 'x']) expect(calendarOf(new URLSearchParams({ week })).week).toBeUndefined()
})
