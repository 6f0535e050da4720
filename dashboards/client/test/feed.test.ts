import { expect, test } from 'vitest'
import { type Change, Feed } from '../src/feed.js'
import { Mirror } from '../src/mirror.js'
import { decodeMessage, ProtocolError } from '../src/protocol.js'

const M = { device: 'd', metric: 'm', labels: {}, unit: 'V', kind: 'gauge' }
const N = { device: 'd', metric: 'n', labels: { cpu: 'cpu0' }, unit: '', kind: 'gauge' }

/** A feed that is spoken to as a hub speaks, and what a mirror holds of it. */
function bench(cursor?: string) {
  const feed = new Feed<number>(cursor)
  const mirror = new Mirror<number>()
  const say = (message: object): Change | undefined => {
    const decoded = decodeMessage(JSON.stringify({ id: 's1', ...message }))
    if (decoded === null || !('cursor' in decoded || 'series' in decoded)) throw new Error('not data')
    const change = feed.change(decoded as Parameters<typeof feed.change>[0])
    if (change !== undefined) mirror.apply(change)
    return change
  }
  const held = () =>
    Object.fromEntries(
      mirror.series.map((series) => {
        const { times, values } = mirror.columns(series)
        return [series.metric, times.map((time, i) => [time, values[i]])]
      }),
    )
  return { feed, mirror, say, held }
}

function live() {
  const b = bench()
  const points = [
    [10, 1],
    [20, 2],
    [30, 3],
  ]
  b.say({ type: 'snapshot', cursor: 'c1', recovered: false, series: [{ series: 0, ...M, points }] })
  return b
}

test('what the parts of a snapshot left out is added up', () => {
  const b = bench()
  const series = [{ series: 0, ...M, points: [[10, 1]] }]
  b.say({ type: 'snapshot', recovered: false, more: true, series, merged: 7 })
  b.say({ type: 'snapshot', recovered: false, more: true, series: [] })
  const change = b.say({ type: 'snapshot', cursor: 'c1', recovered: false, series: [], merged: 5 })
  expect(change).toMatchObject({ type: 'snapshot', merged: 12 })
})

test('a snapshot in parts is one change, with the cursor of the last', () => {
  const b = bench()
  const series = [{ series: 0, ...M, points: [[10, 1]] }]
  expect(b.say({ type: 'snapshot', recovered: false, more: true, series })).toBeUndefined()
  expect(b.feed.cursor).toBeUndefined()
  const rest = [
    { series: 0, ...M, points: [[20, 2]] },
    { series: 1, ...N, points: [[5, true]] },
  ]
  const change = b.say({ type: 'snapshot', cursor: 'c1', recovered: false, series: rest })
  expect(change).toMatchObject({ type: 'snapshot', reset: true, cursor: 'c1', merged: 0 })
  expect(b.held()).toEqual({
    m: [
      [10, 1],
      [20, 2],
    ],
    n: [[5, true]],
  })
})

test('a break in the middle of the parts leaves nothing behind', () => {
  const b = live()
  b.feed.begin()
  b.say({ type: 'snapshot', recovered: false, more: true, series: [{ series: 0, ...M, points: [[99, 9]] }] })
  b.feed.begin()
  b.say({ type: 'snapshot', cursor: 'c2', recovered: true, series: [{ series: 0, ...M, points: [[40, 4]] }] })
  expect(b.held().m).toEqual([
    [10, 1],
    [20, 2],
    [30, 3],
    [40, 4],
  ])
})

test('what is not recovered forgets all, and a series that is named again is the same object', () => {
  const b = live()
  const [before] = b.feed.series
  b.feed.begin()
  const series = [{ series: 7, ...M, unit: 'mV', points: [[40, 4]] }]
  expect(b.say({ type: 'snapshot', cursor: 'c9', recovered: false, series })?.reset).toBe(true)
  const [after] = b.feed.series
  expect([after === before, after?.unit, b.held()]).toEqual([true, 'mV', { m: [[40, 4]] }])
  b.feed.begin()
  b.say({ type: 'snapshot', cursor: 'c10', recovered: false, series: [{ series: 0, ...N, points: [[1, 1]] }] })
  expect([...b.feed.series].map((s) => s.metric)).toEqual(['n'])
})

test('recovered: ranges are forgotten before points are put', () => {
  const b = live()
  b.feed.begin()
  const change = b.say({
    type: 'snapshot',
    cursor: 'c2',
    recovered: true,
    series: [{ series: 0, ...M, points: [[20, 22]] }],
    ranges: [{ series: 0, from: 15, to: 30, points: [] }],
  })
  expect(change?.reset).toBe(false)
  expect(b.held().m).toEqual([
    [10, 1],
    [20, 22],
  ])
})

test('an update brings points, new series and what was merged; one that brings nothing is no change but a cursor', () => {
  const b = live()
  const points = [
    [0, 40, 4],
    [1, 40, 'on'],
  ]
  const change = b.say({ type: 'update', cursor: 'c2', points, series: [{ series: 1, ...N }], merged: 3 })
  expect(change?.points.map((p) => [p.series.metric, p.time, p.value])).toEqual([
    ['m', 40, 4],
    ['n', 40, 'on'],
  ])
  expect(change?.merged).toBe(3)
  expect(b.say({ type: 'update', cursor: 'c3', points: [] })).toBeUndefined()
  expect(b.feed.cursor).toBe('c3')
})

test.each([
  ['a late point', [{ from: 15, to: 15, points: [[15, 9]] }], '10=1 15=9 20=2 30=3'],
  ['a rewritten value', [{ from: 20, to: 20, points: [[20, 9]] }], '10=1 20=9 30=3'],
  ['a delete, both ends inside', [{ from: 20, to: 30, points: [] }], '10=1'],
  ['a delete between points', [{ from: 21, to: 29, points: [] }], '10=1 20=2 30=3'],
  [
    'a delete after a late point takes it too',
    [
      { from: 15, to: 15, points: [[15, 9]] },
      { from: 12, to: 16, points: [] },
    ],
    '10=1 20=2 30=3',
  ],
  [
    'a late point after a delete stays',
    [
      { from: 12, to: 25, points: [] },
      { from: 15, to: 15, points: [[15, 9]] },
    ],
    '10=1 15=9 30=3',
  ],
  [
    'a delete takes part of an earlier range',
    [
      {
        from: 11,
        to: 19,
        points: [
          [12, 5],
          [18, 6],
        ],
      },
      { from: 15, to: 40, points: [] },
    ],
    '10=1 12=5',
  ],
])('patch: %s', (_, ranges, expected) => {
  const b = live()
  b.say({ type: 'patch', cursor: 'c2', ranges: ranges.map((range) => ({ series: 0, ...range })) })
  expect((b.held().m ?? []).map(([time, value]) => `${time}=${value}`).join(' ')).toBe(expected)
})

test('a series that was never described breaks the protocol, also after a break', () => {
  const b = live()
  expect(() => b.say({ type: 'update', cursor: 'c2', points: [[9, 40, 1]] })).toThrow(ProtocolError)
  b.feed.begin()
  expect(() => b.say({ type: 'update', cursor: 'c2', points: [[0, 40, 1]] })).toThrow(ProtocolError)
})

test('a mirror takes points in any order, tells the last, and forgets what is old', () => {
  const { mirror, feed, say } = live()
  const [series] = feed.series
  if (series === undefined) throw new Error('one series')
  say({ type: 'patch', cursor: 'c2', ranges: [{ series: 0, from: 5, to: 5, points: [[5, 0]] }] })
  expect(mirror.last(series)).toEqual({ time: 30, value: 3 })
  mirror.trimBefore(20)
  expect(mirror.columns(series).times).toEqual([20, 30])
})
