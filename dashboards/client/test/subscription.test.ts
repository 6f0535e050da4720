import { describe, expect, test } from 'vitest'
import { decodeMessage, ProtocolError } from '../src/protocol.js'
import {
  apply,
  beginConnection,
  type Effects,
  newSubscription,
  type Subscription,
  trimBefore,
} from '../src/subscription.js'

const NOW = 1_000_000_000
const M = { device: 'd', metric: 'm', labels: {}, unit: 'V', kind: 'gauge' }
const N = { device: 'd', metric: 'n', labels: { cpu: 'cpu0' }, unit: '', kind: 'gauge' }

/** Messages go through text and decode, as from a hub. */
function say(sub: Subscription, message: object, now = NOW): Effects {
  const decoded = decodeMessage(JSON.stringify({ id: sub.id, ...message }))
  if (decoded === null || decoded.type === 'closing') throw new Error('not for a subscription')
  return apply(sub, decoded as Parameters<typeof apply>[1], now)
}
function held(sub: Subscription): Record<string, unknown[]> {
  const found: Record<string, unknown[]> = {}
  for (const series of sub.series.values()) {
    const { times, values } = series.ring.columns()
    found[series.metric] = Array.from(times, (t, i) => [t - NOW, series.decode(values[i] ?? Number.NaN)])
  }
  return found
}
const at = (points: [number, unknown][]) => points.map(([t, v]) => [t + NOW, v])
function live(): Subscription {
  const sub = newSubscription('s1', { select: ['*/*'], history: '15m' })
  const series = [
    {
      series: 0,
      ...M,
      points: at([
        [-20, 1],
        [-10, 2],
      ]),
    },
  ]
  say(sub, { type: 'snapshot', cursor: 'c1', recovered: false, series })
  return sub
}

describe('snapshot', () => {
  test('is held, with its cursor', () => {
    const sub = live()
    expect(held(sub)).toEqual({
      m: [
        [-20, 1],
        [-10, 2],
      ],
    })
    expect([sub.phase, sub.cursor, sub.coverFrom]).toEqual(['live', 'c1', NOW - 900_000 + 2000])
  })

  test('in parts is applied whole, at the last part; a series may go on in the next part', () => {
    const sub = live()
    beginConnection(sub)
    const first = {
      type: 'snapshot',
      recovered: false,
      more: true,
      series: [{ series: 0, ...M, points: at([[-9, 7]]) }],
    }
    expect(say(sub, first).changed).toBe(false)
    expect([held(sub), sub.cursor]).toEqual([
      {
        m: [
          [-20, 1],
          [-10, 2],
        ],
      },
      'c1',
    ])
    const series = [
      { series: 0, ...M, points: at([[-8, 8]]) },
      { series: 1, ...N, points: at([[-8, 3]]) },
    ]
    expect(say(sub, { type: 'snapshot', cursor: 'c2', recovered: false, series }).replaced).toBe(true)
    expect([held(sub), sub.cursor]).toEqual([
      {
        m: [
          [-9, 7],
          [-8, 8],
        ],
        n: [[-8, 3]],
      },
      'c2',
    ])
  })

  test('a break in the middle of the parts leaves the old picture and the old cursor', () => {
    const sub = live()
    beginConnection(sub)
    say(sub, { type: 'snapshot', recovered: false, more: true, series: [{ series: 0, ...M, points: at([[-9, 7]]) }] })
    beginConnection(sub)
    expect([held(sub), sub.cursor]).toEqual([
      {
        m: [
          [-20, 1],
          [-10, 2],
        ],
      },
      'c1',
    ])
    const series = [{ series: 0, ...M, points: at([[-8, 8]]) }]
    say(sub, { type: 'snapshot', cursor: 'c3', recovered: false, series })
    expect([held(sub), sub.cursor]).toEqual([{ m: [[-8, 8]] }, 'c3'])
  })

  test('recovered: ranges first, then points are added to what is held', () => {
    const sub = live()
    beginConnection(sub)
    const effects = say(sub, {
      type: 'snapshot',
      cursor: 'c9',
      recovered: true,
      series: [
        {
          series: 4,
          ...M,
          points: at([
            [-20, 10],
            [-15, 5],
            [0, 3],
          ]),
        },
      ],
      ranges: [{ series: 4, from: NOW - 25, to: NOW - 10, points: [] }],
    })
    expect(effects.replaced).toBe(false)
    expect(held(sub)).toEqual({
      m: [
        [-20, 10],
        [-15, 5],
        [0, 3],
      ],
    })
  })

  test('recovered: what lies before the cover is told as stale, not held', () => {
    const sub = live()
    beginConnection(sub)
    const old = -86_400_000
    const series = [
      {
        series: 0,
        ...M,
        points: at([
          [old, 1],
          [0, 3],
        ]),
      },
    ]
    const effects = say(sub, { type: 'snapshot', cursor: 'c9', recovered: true, series })
    expect(effects.stale).toEqual({ from: NOW + old, to: NOW + old })
    expect(held(sub)).toEqual({
      m: [
        [-20, 1],
        [-10, 2],
        [0, 3],
      ],
    })
  })

  test('without history holds each last known value, however old', () => {
    const sub = newSubscription('s1', { select: ['*/*'] })
    say(sub, { type: 'snapshot', cursor: 'c1', recovered: false, series: [{ series: 0, ...M, points: [[5, true]] }] })
    const [series] = [...sub.series.values()]
    expect([series?.last, series?.type]).toEqual([[5, true], 'bool'])
  })
})

describe('update', () => {
  test('appends, and brings the description of a new series', () => {
    const sub = live()
    const points = [
      [0, NOW + 1, 3],
      [1, NOW + 1, 'on'],
      [1, NOW + 2, 'off'],
    ]
    say(sub, { type: 'update', cursor: 'c2', points, series: [{ series: 1, ...N }] })
    expect(held(sub)).toEqual({
      m: [
        [-20, 1],
        [-10, 2],
        [1, 3],
      ],
      n: [
        [1, 'on'],
        [2, 'off'],
      ],
    })
    expect(sub.cursor).toBe('c2')
  })

  test('a series that was never described breaks the protocol', () => {
    expect(() => say(live(), { type: 'update', cursor: 'c2', points: [[9, NOW, 1]] })).toThrow(ProtocolError)
  })

  test('merged: the range since the last point held is to be asked again', () => {
    const sub = live()
    const effects = say(sub, {
      type: 'update',
      cursor: 'c2',
      merged: 40,
      points: [
        [0, NOW + 5, 3],
        [0, NOW + 9, 4],
      ],
    })
    expect(effects.stale).toEqual({ from: NOW - 10, to: NOW + 9 })
  })
})

describe('patch', () => {
  test.each([
    [
      'a late point',
      -15,
      -15,
      [[-15, 9]],
      [
        [-20, 1],
        [-15, 9],
        [-10, 2],
      ],
    ],
    [
      'a rewritten value',
      -10,
      -10,
      [[-10, 22]],
      [
        [-20, 1],
        [-10, 22],
      ],
    ],
    ['a delete, both ends inside', -20, -10, [], []],
    [
      'a delete before and after',
      -12,
      -11,
      [],
      [
        [-20, 1],
        [-10, 2],
      ],
    ],
    [
      'a range with other points',
      -20,
      -15,
      [
        [-19, 5],
        [-16, 6],
      ],
      [
        [-19, 5],
        [-16, 6],
        [-10, 2],
      ],
    ],
  ])('%s', (_, from, to, points, expected) => {
    const sub = live()
    const ranges = [{ series: 0, from: NOW + from, to: NOW + to, points: at(points as [number, unknown][]) }]
    say(sub, { type: 'patch', cursor: 'c2', ranges })
    expect(held(sub)).toEqual({ m: expected })
  })

  test('a range across the cover is held from the cover on and stale before', () => {
    const sub = live()
    const from = sub.coverFrom - 5000
    const points = [
      [from, 1],
      [sub.coverFrom + 1, 2],
    ]
    const effects = say(sub, { type: 'patch', cursor: 'c2', ranges: [{ series: 0, from, to: NOW - 20, points }] })
    expect(effects.stale).toEqual({ from, to: sub.coverFrom })
    expect(held(sub)).toEqual({
      m: [
        [sub.coverFrom + 1 - NOW, 2],
        [-10, 2],
      ],
    })
  })
})

describe('the rest', () => {
  test('state and error are kept', () => {
    const sub = live()
    say(sub, { type: 'state', devices: [{ device: 'd', state: 'silent', since: 1, seen: 2, via: 'g' }] })
    expect(sub.devices.get('d')).toEqual({ device: 'd', state: 'silent', since: 1, seen: 2, via: 'g' })
    say(sub, { type: 'error', error: { code: 'bad_selector', message: 'no /', hint: 'NAME/*' } })
    expect([sub.phase, sub.error?.hint]).toEqual(['refused', 'NAME/*'])
  })

  test('a refused one with history covers nothing until it has a snapshot again', () => {
    const sub = live()
    say(sub, { type: 'error', error: { code: 'too_slow', message: 'no' } })
    expect([held(sub), sub.coverFrom, sub.cursor]).toEqual([{ m: [] }, Number.POSITIVE_INFINITY, undefined])
    say(sub, { type: 'snapshot', cursor: 'c2', recovered: false, series: [{ series: 0, ...M, points: at([[-5, 3]]) }] })
    expect([sub.phase, held(sub), sub.coverFrom]).toEqual(['live', { m: [[-5, 3]] }, NOW - 900_000 + 2000])
  })

  test('a refused one without history keeps its last values', () => {
    const sub = newSubscription('s1', { select: ['*/*'] })
    say(sub, { type: 'snapshot', cursor: 'c1', recovered: false, series: [{ series: 0, ...M, points: at([[-5, 3]]) }] })
    say(sub, { type: 'error', error: { code: 'too_slow', message: 'no' } })
    expect(held(sub)).toEqual({ m: [[-5, 3]] })
  })

  test('trimming moves the cover', () => {
    const sub = live()
    trimBefore(sub, NOW - 12)
    expect([held(sub), sub.coverFrom]).toEqual([{ m: [[-10, 2]] }, NOW - 12])
  })

  test('a message of a type that is not known is passed over', () => {
    expect(decodeMessage('{"type":"weather"}')).toBeNull()
  })

  test.each(['nonsense', '[]', '{"type":"update","id":1}', '{"type":"patch","id":"a","ranges":[{"series":0}]}'])(
    '%s is refused',
    (text) => expect(() => decodeMessage(text)).toThrow(ProtocolError),
  )
})

describe('what was trimmed', () => {
  /** The one series that is told of, as its last known value is shown. */
  const shown = (sub: Subscription) => {
    const series = [...sub.series.values()].find((one) => one.metric === 'm')
    const [time, value] = series?.last ?? [Number.NaN]
    const changed = series?.lastChanged
    return { at: time - NOW, value, since: (changed?.time ?? Number.NaN) - NOW, known: changed?.known }
  }
  const late = (sub: Subscription, from: number, to: number, points: [number, unknown][]) =>
    say(sub, {
      type: 'patch',
      cursor: 'c9',
      ranges: [{ series: 0, from: NOW + from, to: NOW + to, points: at(points) }],
    })

  test('is still the last known value, and since when', () => {
    const sub = live()
    say(sub, { type: 'update', cursor: 'c2', points: [[0, NOW + 5, 2]] })
    trimBefore(sub, NOW + 1000)
    expect(held(sub)).toEqual({ m: [] })
    expect(shown(sub)).toEqual({ at: 5, value: 2, since: -10, known: true })
    say(sub, { type: 'update', cursor: 'c3', points: [[0, NOW + 2000, 2]] })
    expect(shown(sub)).toEqual({ at: 2000, value: 2, since: -10, known: true })
    trimBefore(sub, NOW + 3000)
    expect(shown(sub)).toEqual({ at: 2000, value: 2, since: -10, known: true })
    say(sub, { type: 'update', cursor: 'c4', points: [[0, NOW + 4000, 3]] })
    expect(shown(sub)).toEqual({ at: 4000, value: 3, since: 4000, known: true })
  })

  test('is void when the hub deleted it, and another when it was rewritten', () => {
    const sub = live()
    trimBefore(sub, NOW + 1000)
    late(sub, -10, -10, [[-10, 7]])
    expect(shown(sub)).toMatchObject({ at: -10, value: 7, known: false })
    late(sub, -5, -5, [[-5, 8]])
    expect(shown(sub)).toMatchObject({ at: -5, value: 8 })
    late(sub, -30, 5, [])
    expect(shown(sub).value).toBeUndefined()
  })

  test('of a late reading nobody knows what lies between it and what is held', () => {
    const sub = live()
    say(sub, { type: 'update', cursor: 'c2', points: [[0, NOW - 2_000_000, 1]] })
    expect(shown(sub)).toMatchObject({ at: -10, value: 2 })
    late(sub, -10, -10, [[-10, 1]])
    expect(shown(sub)).toEqual({ at: -10, value: 1, since: -20, known: false })
  })
})
