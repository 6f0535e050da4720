import { describe, expect, test } from 'vitest'
import { keyChange, pinchRange, wheelChange } from '../src/chart/gestures'
import { drawn } from '../src/chart/members'
import { groupsOf, selectGroups, selectsOf } from '../src/pages/explore/groups'
import { exploreHref, parseView } from '../src/pages/explore/view'
import { growthOf, type Sample, steps, withSample } from '../src/pages/status/rates'
import { trendPath } from '../src/parts/trend'
import { fieldText, lastSpan, moved, parseRange, rangeQuery, windowOf, zoomed } from '../src/range'
import { clockTime, moment } from '../src/words'
import { asLocal, instant, isZone, setZone, startOfDay, startOfMonth, startOfWeek, wall } from '../src/zone'

const HOUR = 3_600_000
const utc = (text: string) => Date.parse(text)

describe('the calendar of a zone', () => {
  test.each([
    // A day of 23 hours, one of 25, a zone of three quarters of an hour, a day without a midnight, and one after midnight UTC.
    ['Europe/Berlin', '2026-03-29T12:00:00Z', '2026-03-28T23:00:00Z', 23],
    ['Europe/Berlin', '2026-10-25T12:00:00Z', '2026-10-24T22:00:00Z', 25],
    ['Asia/Kathmandu', '2026-05-01T20:00:00Z', '2026-05-01T18:15:00Z', 24],
    ['America/Sao_Paulo', '2018-11-04T12:00:00Z', '2018-11-04T03:00:00Z', 23],
    ['Pacific/Kiritimati', '2026-01-01T11:00:00Z', '2026-01-01T10:00:00Z', 24],
  ])('%s: the day of %s begins at %s and has %i hours', (zone, time, start, hours) => {
    expect(startOfDay(utc(time), 0, zone)).toBe(utc(start))
    expect((startOfDay(utc(time), 1, zone) - utc(start)) / HOUR).toBe(hours)
  })

  test('weeks begin on the day that is said, months on their first', () => {
    const time = utc('2026-11-30T15:00:00Z')
    expect(startOfWeek(time, 0, 1, 'UTC')).toBe(utc('2026-11-30T00:00:00Z'))
    expect(startOfWeek(time, 0, 7, 'UTC')).toBe(utc('2026-11-29T00:00:00Z'))
    expect(startOfWeek(time, -1, 1, 'UTC')).toBe(utc('2026-11-23T00:00:00Z'))
    expect(startOfMonth(time, -1, 'Europe/Berlin')).toBe(utc('2026-09-30T22:00:00Z'))
    expect(startOfMonth(time, 2, 'UTC')).toBe(utc('2027-01-01T00:00:00Z'))
  })

  test('a wall time becomes an instant and back, around every change of the clock of a year', () => {
    const days = ['2026-03-08', '2026-03-29', '2026-04-04', '2026-10-03', '2026-10-25', '2026-11-01']
    for (const zone of ['Europe/Berlin', 'America/New_York', 'Australia/Lord_Howe', 'Asia/Kolkata', 'UTC']) {
      for (const day of days) {
        for (let time = utc(`${day}T00:00:00Z`) - 6 * HOUR; time < utc(`${day}T23:00:00Z`); time += HOUR / 2) {
          const back = instant(wall(time, zone).getTime(), zone)
          // An hour that comes twice is told as its first.
          expect(wall(back, zone).getTime(), `${zone} ${new Date(time).toISOString()}`).toBe(wall(time, zone).getTime())
          expect(time - back).toBeGreaterThanOrEqual(0)
          expect(time - back).toBeLessThanOrEqual(HOUR)
        }
      }
    }
  })

  test('an hour that the clock leaves out is shown an hour later', () => {
    const back = instant(utc('2026-03-29T02:30:00Z'), 'Europe/Berlin')
    expect(wall(back, 'Europe/Berlin').toISOString()).toBe('2026-03-29T03:30:00.000Z')
  })

  test('texts and axes follow the zone that was chosen', () => {
    const time = utc('2026-11-30T23:30:09Z')
    setZone('Asia/Kathmandu')
    expect([clockTime(time), fieldText(time), asLocal(time).getHours()]).toEqual(['05:15:09', '2026-12-01T05:15:09', 5])
    expect(moment(time, time + HOUR)).toBe('05:15:09')
    setZone('UTC')
    expect([clockTime(time), moment(time, time + HOUR)]).toEqual(['23:30:09', '30 Nov 23:30'])
    setZone('Mars/Olympus')
    expect(isZone('Mars/Olympus')).toBe(false)
    setZone('local')
  })
})

describe('ranges', () => {
  test.each(['range=1h', 'range=today', 'range=last-month', 'from=5&to=15', ''])('%j goes there and back', (text) =>
    expect(rangeQuery(parseRange(new URLSearchParams(text)))).toBe(text),
  )

  test('a range of the calendar that is not known is the one shown at first', () => {
    expect(parseRange(new URLSearchParams('range=toString'))).toEqual({ kind: 'last', span: '15m' })
  })

  test.each([
    'from=-Infinity&to=5',
    'from=0&to=9e15',
    'from=8.7e15&to=8.8e15',
    'from=0&to=1e13',
    'from=5&to=5',
    'range=999999999999d',
    'range=0s',
  ])('a window that no chart can show is the one shown at first: %s', (text) => {
    expect(parseRange(new URLSearchParams(text))).toEqual({ kind: 'last', span: '15m' })
  })

  test.each([
    ['90m', '90m'],
    [' 12 H ', '12h'],
    ['1.5d', '1.5d'],
    ['0s', undefined],
    ['60000d', undefined],
    ['soon', undefined],
    ['', undefined],
  ])('%j typed as a length is the last %s', (typed, span) =>
    expect(lastSpan(typed)).toEqual(span === undefined ? undefined : { kind: 'last', span }),
  )

  test('moving and zooming keep what is under the hand', () => {
    const window = { from: 1000, to: 2000 }
    expect(windowOf(moved(window, -0.5), 0)).toEqual({ from: 500, to: 1500 })
    expect(windowOf(zoomed(window, 0.5, 0.25), 0)).toEqual({ from: 1125, to: 1625 })
    expect(windowOf(zoomed(window, 1e-9), 0)).toEqual({ from: 1495, to: 1505 })
  })

  test('keys, wheel and fingers', () => {
    const window = { from: 0, to: 1000 }
    const told = (change: ReturnType<typeof keyChange>) =>
      change === undefined ? undefined : windowOf(change(window), 0)
    expect(told(keyChange('ArrowRight'))).toEqual({ from: 250, to: 1250 })
    expect(told(keyChange('-'))).toEqual({ from: -500, to: 1500 })
    expect(keyChange('a')).toBeUndefined()
    expect(keyChange('toString')).toBeUndefined()
    const wheel = { deltaX: 0, deltaY: 0, ctrlKey: false, metaKey: false, shiftKey: false }
    expect(wheelChange({ ...wheel, deltaY: 50 }, 500, 0.5), 'the page scrolls').toBeUndefined()
    expect(told(wheelChange({ ...wheel, deltaX: 50 }, 500, 0.5))).toEqual({ from: 100, to: 1100 })
    expect(told(wheelChange({ ...wheel, deltaY: 50, shiftKey: true }, 500, 0.5))).toEqual({ from: 100, to: 1100 })
    const zoom = told(wheelChange({ ...wheel, deltaY: -100, ctrlKey: true }, 500, 0))
    expect(zoom?.from).toBe(0)
    expect(zoom?.to).toBeCloseTo(1000 * Math.exp(-0.2))
    const pinched = (now: [number, number]) => {
      const { from, to } = windowOf(pinchRange([0.4, 0.6], now, window), 0)
      return [Math.round(from), Math.round(to)]
    }
    expect(pinched([0.3, 0.7])).toEqual([250, 750])
    expect(pinched([0.5, 0.7])).toEqual([-100, 900])
  })
})

test('the view of explore is all in its address', () => {
  const href = '#/explore?select=*%2Ftemp%7Ba%3D%22b%22%7D&select=x%2F*&every=1d&agg=p99&compare=7d&range=30d'
  const view = parseView(new URLSearchParams(href.split('?')[1]))
  expect(view).toMatchObject({ select: ['*/temp{a="b"}', 'x/*'], every: '1d', agg: 'p99', compare: '7d' })
  expect(exploreHref(view)).toBe(href)
  expect(parseView(new URLSearchParams('every=1q&agg=median&compare=constructor'))).toMatchObject({
    every: '',
    agg: 'mean',
    compare: '',
  })
})

describe('what is drawn together', () => {
  const one = (
    device: string,
    metric: string,
    unit = '',
    kind: 'gauge' | 'counter' | 'state' = 'gauge',
    labels = {},
  ) => ({
    device,
    metric,
    unit,
    kind,
    labels,
  })
  const found = [
    one('a', 'temp', '°C'),
    one('b', 'temp', '°C'),
    one('b', 'dew', '°C'),
    one('a', 'in', 'B', 'counter'),
    one('a', 'free', 'B'),
    one('a', 'on', '', 'state'),
  ]
  const groups = groupsOf(found, (metric) => metric.kind === 'state')

  test('one chart for each unit, counters apart, states as timelines', () => {
    expect(groups.lines.map((g) => [g.metric, g.members.map((m) => m.label)])).toEqual([
      ['dew, temp', ['a/temp', 'b/dew', 'b/temp']],
      ['a/free', ['free']],
      ['a/in', ['in']],
    ])
    expect(groups.states.map((g) => g.metric)).toEqual(['a/on'])
  })

  test('the lines of a chart are called by what tells them apart, and what they share is in its name', () => {
    const named = (...all: ReturnType<typeof one>[]) =>
      groupsOf(all, () => false).lines.map((g) => [g.metric, g.members.map((m) => m.label)])
    const fan = (device: string, labels: object) => one(device, 'fan', 'rpm', 'gauge', labels)
    expect(named(fan('oven', { side: 'left' }), fan('oven', { side: 'right' }), one('roof', 'temp', '°C'))).toEqual([
      ['oven/fan', ['left', 'right']],
      ['roof/temp', ['temp']],
    ])
    expect(named(fan('oven', { side: 'left' }), fan('oven', {}), one('oven', 'temp', '°C'))).toEqual([
      ['fan', ['fan', 'left']],
      ['temp', ['temp']],
    ])
    expect(named(fan('a', { side: 'left' }), fan('b', { side: 'left' }))).toEqual([['fan', ['a', 'b']]])
  })

  test('each chart asks for its own series; figures of very many are asked for in several questions', () => {
    const members = groups.lines[0]?.members ?? []
    expect(selectsOf(members)).toEqual(['a/temp', 'b/dew', 'b/temp'])
    expect(selectGroups(members)).toEqual([['a/temp', 'b/dew', 'b/temp']])
    const many = groupsOf(
      Array.from({ length: 130 }, (_, i) => one(`d${i}`, 'temp')),
      () => false,
    )
    const questions = selectGroups(many.lines[0]?.members ?? [])
    expect(questions.map((select) => select.length)).toEqual([64, 64, 2])
    expect([questions[0]?.[0], questions[2]?.[1]]).toEqual(['d0/temp', 'd129/temp'])
    expect(drawn(many.lines[0] ?? { metric: '', unit: '', kind: 'gauge', members: [] }).length).toBe(32)
  })
})

describe('status', () => {
  const sample = (time: number, stored: number, started = 0, more = {}): Sample => ({
    time,
    started,
    counters: { readings_stored: stored, ...more },
  })

  test('rates are what the counters rose by; a hub that was started anew begins anew', () => {
    let samples: Sample[] = []
    samples = withSample(samples, sample(1000, 10, 0, { commits: 1, commit_ns: 1e6 }))
    samples = withSample(samples, sample(3000, 30, 0, { commits: 3, commit_ns: 7e6 }))
    samples = withSample(samples, sample(3000, 30))
    expect(steps(samples)).toMatchObject([{ readings: 10, commits: 1, commitMs: 3 }])
    samples = withSample(samples, sample(4000, 0, 3500))
    expect(steps(samples)).toEqual([])
  })

  test('what a day takes is the mean of the last closed days, raw and rollup together', () => {
    const file = (day: string, bytes: number) => ({ day, bytes })
    expect(growthOf([file('2026-11-30', 99)], '2026-11-30')).toBeUndefined()
    const files = [file('2026-11-28', 10), file('2026-11-28', 2), file('2026-11-29', 20), file('2026-11-30', 99)]
    expect(growthOf(files, '2026-11-30')).toEqual({ bytesPerDay: 16, days: 2 })
  })

  test('a trend is broken where there is no value', () => {
    expect(trendPath([1], 10, 10)).toBe('')
    expect(trendPath([0, 2, undefined, 2], 30, 10)).toBe('M0.0 9.0L10.0 1.0M30.0 1.0')
  })
})
