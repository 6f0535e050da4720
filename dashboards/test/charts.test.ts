import { beforeAll, describe, expect, test, vi } from 'vitest'
import { fingersRange, pansBy } from '../src/chart/gestures'
import { byUnit, linesOf, type Metric } from '../src/chart/members'
import { rateOf, shownFactor, shownUnit } from '../src/chart/shown'
import { left, NO_ZOOMS, TOGETHER_MS, undoable, undone } from '../src/chart/zooms'
import { groupsOf, paired } from '../src/pages/explore/groups'
import { AGGREGATES, exploreHref, NO_VIEW, parseView } from '../src/pages/explore/view'
import { type TimeRange, windowOf } from '../src/range'
import { exactText } from '../src/words'
import { dayOfWeek, localeWeekStart, setWeekStart, setZone, startOfWeek, weekStart } from '../src/zone'

const fixed = (from: number, to: number): TimeRange => ({ kind: 'fixed', from, to })
const HOUR: TimeRange = { kind: 'last', span: '1h' }

describe('undoing zooms', () => {
  test('goes back step by step to where it began', () => {
    let zooms = left(NO_ZOOMS, HOUR, 'zoom', 0)
    zooms = left(zooms, fixed(0, 100), 'zoom', 1)
    const first = undone(zooms, fixed(10, 20))
    expect(first?.range).toEqual(fixed(0, 100))
    const second = undone(first?.zooms ?? NO_ZOOMS, fixed(0, 100))
    expect(second?.range).toEqual(HOUR)
    expect(undone(second?.zooms ?? NO_ZOOMS, HOUR)).toBeUndefined()
  })

  test('takes moves that follow each other as one, and a pause begins another', () => {
    let zooms = NO_ZOOMS
    for (let i = 0; i < 5; i += 1) zooms = left(zooms, fixed(i, i + 10), 'move', i * 100)
    expect(zooms.stack).toEqual([fixed(0, 10)])
    zooms = left(zooms, fixed(5, 15), 'move', 400 + TOGETHER_MS)
    expect(zooms.stack).toEqual([fixed(0, 10), fixed(5, 15)])
  })

  test('what the back button undid already is not undone again; the address rounds to a millisecond', () => {
    const zooms = left(left(NO_ZOOMS, HOUR, 'zoom', 0), fixed(0.4, 99.7), 'zoom', 1)
    expect(undoable(zooms, fixed(0, 100))).toEqual([HOUR])
    expect(undoable(zooms, HOUR)).toEqual([HOUR, fixed(0.4, 99.7)])
    expect(undone(zooms, fixed(0, 100))?.range).toEqual(HOUR)
  })

  test('keeps so many', () => {
    let zooms = NO_ZOOMS
    for (let i = 0; i < 200; i += 1) zooms = left(zooms, fixed(i, i + 10), 'zoom', i)
    expect(zooms.stack.length).toBe(50)
    expect(zooms.stack.at(-1)).toEqual(fixed(199, 209))
  })
})

describe('fingers', () => {
  test.each([
    [3, 4, undefined],
    [9, 4, true],
    [-20, 19, true],
    [4, 9, false],
    [10, -10, false],
  ])('one that went %i to the right and %i down moves the window: %s', (dx, dy, expected) =>
    expect(pansBy(dx, dy)).toBe(expected),
  )

  test('one moves what is under it along, two zoom', () => {
    const window = { from: 1000, to: 2000 }
    expect(windowOf(fingersRange([0.75], [0.25], window), 0)).toEqual({ from: 1500, to: 2500 })
    const { from, to } = windowOf(fingersRange([0.4, 0.6], [0.3, 0.7], window), 0)
    expect([Math.round(from), Math.round(to)]).toEqual([1250, 1750])
  })
})

test.each([
  [1013.25, 'hPa', '1013.25 hPa'],
  [-0.1, '°C', '−0.1 °C'],
  [21.123456789, 'degC', '21.123456789 °C'],
  [2412, 'W', '2.412 kW'],
  [2_300_000_000, 'B', '2300000000 B'],
  [3 * 2 ** 30, 'B', '3 GiB'],
  [7230, 's', '7230 s'],
  [123_456, '', '123456'],
  [0, 'V', '0 V'],
  [9_007_199_254_740_991, 'pulses', '9007199254740991 pulses'],
  [9_007_199_254_740_994, 'pulses', '≈ 9007199254740994 pulses'],
  [-(2 ** 62), '', '≈ −4611686018427388000'],
  [1.5e300, '', '1.5e+300'],
  [true, '', 'on'],
] as const)('every figure of %s %s reads %s', (value, unit, expected) => expect(exactText(value, unit)).toBe(expected))

const metric = (name: string, unit: string, members = 1, kind: Metric['kind'] = 'gauge'): Metric => ({
  metric: name,
  unit,
  kind,
  members: Array.from({ length: members }, (_, i) => ({
    key: `${name} ${i}`,
    description: { device: 'd', metric: name, labels: {}, unit, kind },
    label: String(i),
  })),
})

describe('units', () => {
  test('charts of one unit stand together, those that are alone in theirs come last', () => {
    const all = [metric('a', 'degC'), metric('b', 'bar'), metric('c', '°C'), metric('d', ''), metric('e', '')]
    expect(byUnit(all).map(({ unit, metrics }) => [unit, metrics.map((one) => one.metric)])).toEqual([
      ['°C', ['a', 'c']],
      ['', ['b', 'd', 'e']],
    ])
    expect(byUnit([])).toEqual([])
  })

  test('two share a chart, one on either side; a third has its own', () => {
    const charts = paired([metric('t', '°C', 2), metric('p', 'bar', 1), metric('w', 'W', 40)])
    expect(charts.map((one) => [one.unit, one.right?.unit])).toEqual([
      ['°C', 'bar'],
      ['W', undefined],
    ])
    expect(
      charts.map((one) =>
        linesOf(one)
          .map(({ of }) => of.unit)
          .join(),
      ),
    ).toEqual(['°C,°C,bar', Array(32).fill('W').join()])
    const crowded = linesOf({ ...metric('a', 'V', 40), right: metric('b', 'A', 40) })
    expect([crowded.length, crowded.filter(({ of }) => of.unit === 'A').length]).toEqual([32, 16])
  })

  test('a rate is per second, a count has no unit', () => {
    const counter = { kind: 'counter', unit: 'B' } as const
    const ask = (agg: string) => ({ select: [], buckets: { every: '1h', agg, tz: 'UTC' } })
    expect(shownUnit(counter, { select: [] })).toBe('B/s')
    expect(['rate', 'increase', 'count', 'max'].map((agg) => shownUnit(counter, ask(agg)))).toEqual([
      'B/s',
      'B',
      '',
      'B',
    ])
  })
})

test('what counts energy rises by power, all else by its unit a second', () => {
  expect(['Wh', 'kWh', 'MWh', 'Ah', 'J', 'B', 'packets', ''].map(rateOf)).toEqual([
    { unit: 'W', factor: 3_600 },
    { unit: 'W', factor: 3_600_000 },
    { unit: 'W', factor: 3_600_000_000 },
    { unit: 'A', factor: 3_600 },
    { unit: 'W', factor: 1 },
    { unit: 'B/s', factor: 1 },
    { unit: 'packets/s', factor: 1 },
    { unit: '/s', factor: 1 },
  ])
  expect([shownFactor('kWh', 'rate'), shownFactor('kWh', 'max'), shownFactor('kWh', undefined)]).toEqual([3.6e6, 1, 1])
  expect(shownUnit({ kind: 'counter', unit: 'kWh' }, { select: [] })).toBe('W')
})

describe('explore', () => {
  let downloads: typeof import('../src/pages/explore/downloads')
  beforeAll(async () => {
    vi.stubGlobal('requestAnimationFrame', () => 0)
    downloads = await import('../src/pages/explore/downloads')
  })

  const one = (name: string, kind: 'gauge' | 'state') => ({ device: 'd', metric: name, labels: {}, unit: '', kind })
  const groups = groupsOf([one('a', 'gauge'), one('b', 'gauge'), one('s', 'state')], ({ kind }) => kind === 'state')
  const view = parseView(new URLSearchParams('select=*%2F*&every=1h&from=1000&to=2000'))

  test('the name of a download says what is in it, in signs that every system takes', () => {
    setZone('UTC')
    const range = fixed(Date.UTC(2026, 10, 30, 12), Date.UTC(2026, 10, 30, 13))
    const view = { ...NO_VIEW, select: ['hall/4 *{a="b"}/temp', 'Küche/*'], range }
    expect(downloads.downloadName(view, 'csv', 0)).toBe(
      'telltale_hall_4_a_b_temp_Küche_2026-11-30T120000_2026-11-30T130000.csv',
    )
    expect(downloads.downloadName({ ...view, select: ['*/*'], every: '1h', agg: 'max' }, 'parquet', 0)).toBe(
      'telltale_max-1h_2026-11-30T120000_2026-11-30T130000.parquet',
    )
    setZone('local')
  })

  test('the choice of axes and the lines that are switched off are in the link', () => {
    const href = '#/explore?select=a%2F*&axes=2&off=PZZXjYY_F9&range=1h'
    expect(exploreHref(parseView(new URLSearchParams(href.split('?')[1])))).toBe(href)
    expect(parseView(new URLSearchParams('axes=3')).axes).toBe('')
  })

  test('a download of what states do not have is of the numbers alone', () => {
    for (const agg of AGGREGATES) {
      const all = ['count', 'first', 'last'].includes(agg)
      expect(downloads.downloadSelect({ ...view, agg }, groups), agg).toEqual(all ? ['*/*'] : ['d/a', 'd/b'])
    }
    expect(downloads.downloadSelect({ ...view, every: '' }, groups)).toEqual(['*/*'])
    const many = groupsOf(
      [...Array.from({ length: 80 }, (_, i) => one(`m${i}`, 'gauge')), one('s', 'state')],
      ({ kind }) => kind === 'state',
    )
    expect(downloads.downloadSelect(view, many)).toEqual(['*/*'])
  })

  test('a link says the range, the buckets and the form', () => {
    setZone('Europe/Berlin')
    const asked = (format: string, part = {}) =>
      Object.fromEntries(
        new URLSearchParams(downloads.downloadHref({ ...view, ...part }, ['d/a'], format, 0).split('?')[1]),
      )
    const common = { select: 'd/a', from: '1000ms', to: '2000ms' }
    const buckets = { agg: 'mean', every: '1h', tz: 'Europe/Berlin' }
    expect(asked('csv')).toEqual({ ...common, ...buckets, format: 'csv', time: 'rfc3339' })
    expect(asked('parquet', { every: '' })).toEqual({ ...common, format: 'parquet' })
    setWeekStart(7)
    expect(asked('ndjson', { every: '1w' })).toMatchObject({ every: '1w', week_start: 'sunday' })
    expect(downloads.bucketsOf({ ...view, every: '1d' })).not.toHaveProperty('week')
    setWeekStart(undefined)
    setZone('local')
  })
})

test('weeks begin as they were chosen to, else as the language has it, and on Monday where that is not known', () => {
  setWeekStart(6)
  const monday = Date.parse('2026-11-30T15:00:00Z')
  expect([weekStart(), dayOfWeek(6)]).toEqual([6, 'Saturday'])
  expect(startOfWeek(monday, 0, undefined, 'UTC')).toBe(Date.parse('2026-11-28T00:00:00Z'))
  setWeekStart(9)
  expect(weekStart()).toBe(localeWeekStart())
  expect(['en-US', 'de-DE', 'en-US@posix', ''].map((name) => localeWeekStart(name))).toEqual([7, 1, 1, 1])
})

test('the zone and the first day of a week stay over a reload', async () => {
  const kept: Record<string, string> = { 'telltale.zone': 'Asia/Kathmandu', 'telltale.week-start': '6' }
  vi.stubGlobal('localStorage', { getItem: (key: string) => kept[key] ?? null })
  vi.resetModules()
  const fresh = await import('../src/zone')
  expect([fresh.zone.value, fresh.weekStart()]).toEqual(['Asia/Kathmandu', 6])
  vi.unstubAllGlobals()
})
