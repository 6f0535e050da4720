import { Ring, Series } from '@telltale/client'
import { describe, expect, test } from 'vitest'
import { valueTicks } from '../src/chart/axes'
import { metricsOf } from '../src/chart/members'
import { spansOf, valueAt } from '../src/chart/spans'
import { arrange, groupsOf, rowsOf } from '../src/pages/devices/list'
import { changesText, editOf } from '../src/parts/device-change'
import { sparkPath } from '../src/parts/spark'
import { viewOf } from '../src/parts/virtual-list'
import { parseRange, rangeQuery, windowOf } from '../src/range'
import { ago } from '../src/words'

const series = (
  device: string,
  metric: string,
  labels: Record<string, string> = {},
  kind: 'gauge' | 'counter' = 'gauge',
) => new Series({ device, metric, labels, unit: '', kind })
const device = (id: string, extra: object = {}) => ({
  device: id,
  name: '',
  state: 'online' as const,
  note: '',
  version: 1,
  attributes: {},
  series: 9,
  ...extra,
})

describe('list of devices', () => {
  const all = [
    series('b', 'net.bytes', {}, 'counter'),
    series('b', 'temperature'),
    series('b', 'cpu', { cpu: 'cpu0' }),
    series('b', 'cpu', { cpu: 'cpu1' }),
    series('a10', 'temperature'),
    series('a10', 'air'),
  ]
  const devices = [
    device('b'),
    device('a10', { seen: 5, state: 'silent' }),
    device('a9', { attributes: { site: 'North' } }),
  ]
  const arranged = arrange(devices, new Map(), '', 'name')
  const rows = rowsOf(arranged, new Map(), all)

  test('names in human order; common plain gauges first, counters last, each metric once', () => {
    expect(rows.map((row) => [row.id, row.values.map((s) => s.metric)])).toEqual([
      ['a9', []],
      ['a10', ['temperature', 'air']],
      ['b', ['temperature', 'cpu', 'net.bytes']],
    ])
  })

  test.each([
    ['state', ['a10', 'a9', 'b']],
    ['seen', ['a10', 'a9', 'b']],
    ['site', ['a9', 'a10', 'b']],
  ] as const)('by %s', (by, ids) => {
    expect(arrange(devices, new Map(), '', by).map((one) => one.device)).toEqual(ids)
  })

  test('live states count before those of the list', () => {
    const states = new Map([['b', { device: 'b', state: 'offline' as const, since: 1, seen: 9 }]])
    expect(arrange(devices, states, '', 'state')[0]?.device).toBe('b')
    for (const word of ['offline', 'unreachable']) expect(arrange(devices, states, word, 'name')).toHaveLength(1)
  })

  test.each([
    ['', 3],
    ['A1', 1],
    ['north', 1],
    ['online b', 1],
    ['silent', 1],
    ['offline', 0],
  ])('the filter %j leaves %i', (typed, count) =>
    expect(arrange(devices, new Map(), typed, 'name')).toHaveLength(count),
  )
})

test('a small list is watched whole; of a long one what is in view, in groups that the hub takes', () => {
  const many = Array.from({ length: 201 }, (_, i) => device(`d${i}`))
  expect(groupsOf({ devices: many.slice(1), whole: true }, ['d1'])).toEqual([['*/*']])
  expect(groupsOf({ devices: many, whole: true }, ['a*', 'b'])).toEqual([['a\\*/*', 'b/*']])
  const inView = many.slice(0, 130).map((one) => one.device)
  expect(groupsOf({ devices: many, whole: true }, inView).map((group) => group.length)).toEqual([64, 64, 2])
  expect(groupsOf(undefined, [])).toEqual([])
})

test.each([
  // Top of the list on the screen, height of the screen, of a row, rows: first and one after the last.
  [100, 500, 50, 10_000, 0, 16],
  [-50_000, 500, 50, 10_000, 992, 1018],
  [-499_700, 500, 50, 10_000, 9_986, 10_000],
  [-900, 500, 50, 3, 0, 3],
  [0, 500, 0, 10_000, 0, 8],
])(
  'a list at %i on a screen of %i with rows of %i and %i of them holds %i to %i',
  (top, height, row, count, first, end) => expect(viewOf(top, height, row, count)).toEqual({ first, end }),
)

test('a spark reaches from the lowest to the highest and is broken where nothing came', () => {
  const points = [
    [0, 1],
    [5, 3],
    [90, 2],
  ] as const
  expect(sparkPath(points, 0, 100, 100, 12)).toBe('M0.0 11.0L5.0 1.0M90.0 6.0')
  expect(sparkPath([[50, 7]], 0, 100, 100, 12)).toBe('M50.0 6.0')
  expect(sparkPath([], 0, 100, 100, 12)).toBe('')
})

test('an edit names what changed and the version that was seen; what was emptied is taken away', () => {
  const before = device('d', { version: 3, attributes: { site: 'North', tz: 'UTC', floor: '2' } })
  const attributes = [
    ['site', ' South '],
    ['tz', ''],
    ['room', '7'],
    ['', ''],
  ] as const
  expect(editOf(before, { name: ' Pump ', note: '', attributes })).toEqual({
    name: 'Pump',
    attributes: { site: 'South', tz: null, floor: null, room: '7' },
    version: 3,
  })
})

test('an edit leaves alone what was not touched, and may be put over what others did meanwhile', () => {
  const before = device('d', { name: 'Pump', note: 'old', version: 3, attributes: { site: 'North' } })
  const typed = { name: 'Pump', note: '', attributes: [['site', 'South']] as const }
  expect(editOf(before, typed, 5)).toEqual({ note: null, attributes: { site: 'South' }, version: 5 })
  const now = device('d', { name: 'Old pump', note: 'old', version: 5, attributes: { tz: 'UTC' } })
  expect(changesText(before, now)).toBe('the name is now “Old pump”, site was taken away, tz is now “UTC”')
  expect(changesText(before, before)).toBe('')
})

test('series of one metric make one chart; lines are named by the labels that differ', () => {
  const found = metricsOf([
    series('d', 'cpu', { cpu: 'cpu10', host: 'x' }),
    series('d', 'cpu', { cpu: 'cpu9', host: 'x' }),
    series('d', 'mem', { host: 'x' }),
  ])
  expect(found.map((m) => [m.metric, m.members.map((member) => member.label)])).toEqual([
    ['cpu', ['cpu9', 'cpu10']],
    ['mem', ['']],
  ])
})

test('spans of a state join equal values and end where the value is known to hold', () => {
  const ring = new Ring()
  for (const [t, v] of [
    [0, 1],
    [10, 1],
    [20, 0],
    [30, 1],
  ] as const)
    ring.append(t, v)
  expect(spansOf(ring, 5, 100, 60)).toEqual([
    { from: 5, to: 20, value: 1 },
    { from: 20, to: 30, value: 0 },
    { from: 30, to: 60, value: 1 },
  ])
})

test('under a crosshair a timeline has the value that held then, and none where none is known', () => {
  const spans = [
    { from: 5, to: 20, value: 1 },
    { from: 20, to: 30, value: 0 },
  ]
  expect([4, 5, 19, 20, 29, 30].map((time) => valueAt(spans, time))).toEqual([undefined, 1, 1, 0, 0, undefined])
})

test.each([
  ['', { kind: 'last', span: '15m' }],
  ['range=6h', { kind: 'last', span: '6h' }],
  ['range=soon', { kind: 'last', span: '15m' }],
  ['from=10&to=20', { kind: 'fixed', from: 10, to: 20 }],
  ['from=20&to=10', { kind: 'last', span: '15m' }],
])('the address %j asks for %j', (query, expected) => {
  const range = parseRange(new URLSearchParams(query))
  expect(range).toEqual(expected)
  expect(parseRange(new URLSearchParams(rangeQuery(range)))).toEqual(range)
})

test('a sliding window ends now', () => {
  expect(windowOf({ kind: 'last', span: '1h' }, 5_000_000)).toEqual({ from: 1_400_000, to: 5_000_000 })
})

test.each([
  [[0, 20, 40], '%', ['0 %', '20 %', '40 %']],
  [[0.25, 0.5, 0.75], '', ['0.25', '0.50', '0.75']],
  [[3.594, 3.596, 3.598], 'V', ['3.594 V', '3.596 V', '3.598 V']],
  [[2 ** 31, 2 ** 31 + 2 ** 27], 'B', ['2.000 GiB', '2.125 GiB']],
  [[1000, 2000, 3000], 'W', ['1 kW', '2 kW', '3 kW']],
  [[-1, 0, 1], '°C', ['−1 °C', '0 °C', '1 °C']],
])('ticks %j in %s', (values, unit, expected) => expect(valueTicks(values, unit)).toEqual(expected))

test.each([
  [0, 'now'],
  [3_000, '3 s ago'],
  [90_000, '1 min ago'],
  [7_200_000, '2 h ago'],
  [-5_000, 'now'],
])('%i ms ago reads %s', (ms, expected) => expect(ago(1e9 - ms, 1e9)).toBe(expected))
