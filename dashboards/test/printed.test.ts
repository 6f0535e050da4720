import { afterEach, expect, test, vi } from 'vitest'
import { printedRange, zoneText } from '../src/printed'
import { setZone } from '../src/zone'

const utc = (text: string) => Date.parse(text)
afterEach(() => setZone('UTC'))

test.each([
  ['UTC', '30 Nov 2026 13:45:00 to 30 Nov 2026 14:00:00, UTC (UTC+00:00)'],
  ['Europe/Berlin', '30 Nov 2026 14:45:00 to 30 Nov 2026 15:00:00, Europe/Berlin (UTC+01:00)'],
  ['America/St_Johns', '30 Nov 2026 10:15:00 to 30 Nov 2026 10:30:00, America/St_Johns (UTC−03:30)'],
])('a quarter of an hour printed in %s', (zone, text) => {
  setZone(zone)
  expect(printedRange({ kind: 'last', span: '15m' }, utc('2026-11-30T14:00:00Z'))).toBe(text)
})

test('the zone that was chosen is there again when the page is loaded anew', async () => {
  vi.stubGlobal('localStorage', { getItem: (key: string) => (key === 'telltale.zone' ? 'Europe/Berlin' : null) })
  vi.resetModules()
  const { zone } = await import('../src/zone')
  vi.unstubAllGlobals()
  expect(zone.value).toBe('Europe/Berlin')
})

test('a time in which the clock changes has both offsets', () => {
  setZone('Europe/Berlin')
  const week = [utc('2026-10-20T00:00:00Z'), utc('2026-10-27T00:00:00Z')] as const
  expect(zoneText(...week)).toBe('Europe/Berlin (UTC+02:00 and UTC+01:00)')
})
