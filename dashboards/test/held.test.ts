import { Series } from '@telltale/client'
import { describe, expect, test } from 'vitest'
import { ADDRESS_PAUSE_MS, Address } from '../src/address'
import { coverOf, keptMs, latestOf, trimmedTo } from '../src/chart/cover'
import { askedAgain } from '../src/refused'

/** A subscription that covers from 100 on, whose one series has these points. */
function live(points: [number, number][], bound = 8) {
  const series = new Series({ device: 'd', metric: 'm', labels: {}, unit: '', kind: 'gauge' }, bound)
  for (const [time, value] of points) series.append(time, value)
  return { key: series.key, sub: { coverFrom: 100, cursor: 'c1', series: new Map([[series.key, series]]) } }
}

describe('what is held', () => {
  test('a full ring covers from what it dropped on', () => {
    const points = [110, 120, 130, 140].map((time): [number, number] => [time, 1])
    const { sub, key } = live(points, 2)
    expect(coverOf(sub, [key])).toBe(120)
    expect(coverOf(sub, ['another'])).toBe(100)
    expect(coverOf(live(points).sub, [key])).toBe(100)
  })

  test('of the time that live covers only the ring counts: what was deleted is not the newest value', () => {
    const { sub, key } = live([[110, 1]])
    expect(latestOf(sub, key, { time: 120, value: 2 })).toEqual({ time: 110, value: 1 })
    expect(latestOf({ ...sub, cursor: undefined }, key, { time: 120, value: 2 })).toEqual({ time: 120, value: 2 })
    const empty = live([])
    expect(latestOf(empty.sub, empty.key, { time: 120, value: 2 })).toBeUndefined()
    expect(latestOf(empty.sub, empty.key, { time: 90, value: 2 })).toEqual({ time: 90, value: 2 })
    expect(latestOf(sub, key, undefined)).toEqual({ time: 110, value: 1 })
  })

  test('rings are trimmed up to where the history of charts reaches that go on into them', () => {
    const older = (to: number, askedAt: number, meetsLive = true, rests = false) => ({
      meetsLive,
      rests,
      answer: { from: 0, to, askedAt, column: 1, series: new Map() },
    })
    expect(trimmedTo(500, 100, [])).toBe(500)
    expect(trimmedTo(500, 100, [{ meetsLive: true, rests: false, answer: undefined }])).toBe(500)
    expect(trimmedTo(500, 100, [older(300, 300)])).toBe(300)
    expect(trimmedTo(500, 100, [older(900, 400)]), 'a day that is not over').toBe(400)
    expect(trimmedTo(500, 100, [older(50, 900)]), 'another day').toBe(500)
    expect(trimmedTo(500, 100, [older(300, 300, false)]), 'buckets').toBe(500)
    expect(trimmedTo(500, 100, [older(300, 300, true, true)]), 'rings hold all that is drawn').toBe(500)
  })

  test('rings are kept for as long as what a sliding chart shows, for a quarter of an hour to an hour', () => {
    const kept = (span: string) => keptMs({ kind: 'last', span }) / 60_000
    expect(['5m', '15m', '30m', '1h', '30d'].map(kept)).toEqual([16, 16, 30, 60, 60])
    expect(keptMs({ kind: 'fixed', from: 0, to: 1 })).toBe(3_600_000)
  })

  test('the last value of a quiet series that was trimmed is still the newest, not the one told when the page opened', () => {
    const { sub, key } = live([[110, 1]])
    sub.series.get(key)?.trimBefore(500)
    const trimmed = { ...sub, coverFrom: 500 }
    expect(latestOf(trimmed, key, { time: 90, value: 0 })).toEqual({ time: 110, value: 1 })
    expect(latestOf(trimmed, key, { time: 400, value: 2 }), 'a late one').toEqual({ time: 400, value: 2 })
  })
})

describe('a subscription that was refused', () => {
  const request = { select: ['*/*'], history: '16m', maxHz: 5 }
  test('is asked again where the hub was busy', () => {
    expect(askedAgain(request, { code: 'too_slow', message: '' })).toEqual({ request, afterMs: 4000 })
  })

  test('is asked for last values alone where its history is too much, once', () => {
    const again = askedAgain(request, { code: 'too_many_points', message: '' })
    expect(again).toEqual({ request: { select: ['*/*'], maxHz: 5 }, afterMs: 0 })
    expect(askedAgain({ select: ['*/*'] }, { code: 'too_many_points', message: '' })).toBeUndefined()
  })

  test('stays refused where the same answer would come again', () => {
    expect(askedAgain(request, { code: 'bad_selector', message: '' })).toBeUndefined()
  })
})

describe('the address', () => {
  /** A browser that may refuse, and whose timer is in the hand of the test. */
  function bench() {
    const browser = {
      hash: '#/',
      refuses: false,
      written: [] as string[],
      steps: [] as string[],
      waits: [] as number[],
      run: () => {},
    }
    const address = new Address({
      hash: () => browser.hash,
      replace: (hash) => {
        if (browser.refuses) throw new Error('too many')
        browser.written.push(hash)
        browser.hash = hash
      },
      push: (hash) => {
        if (browser.refuses) throw new Error('too many')
        browser.steps.push(browser.hash)
        browser.hash = hash
      },
      after: (ms, run) => {
        browser.waits.push(ms)
        browser.run = run
      },
    })
    return { browser, address }
  }

  test('is written at once, then the last of what came in the pause', () => {
    const { browser, address } = bench()
    for (const hash of ['#1', '#2', '#3']) address.write(hash, 'move')
    expect([browser.written, browser.waits]).toEqual([['#1'], [ADDRESS_PAUSE_MS]])
    browser.run()
    expect([browser.written, browser.waits.length]).toEqual([['#1', '#3'], 2])
    browser.run()
    expect(browser.waits.length).toBe(2)
    address.write('#4', 'move')
    expect(browser.written.at(-1)).toBe('#4')
  })

  test('has a choice at once, also in the pause after a move, so that it is there when the page is loaded anew', () => {
    const { browser, address } = bench()
    address.write('#moved', 'move')
    address.write('#chosen', 'choice')
    expect(browser.written).toEqual(['#moved', '#chosen'])
    address.write('#chosen&moved', 'move')
    expect(browser.written.at(-1)).toBe('#chosen')
    browser.run()
    expect(browser.written.at(-1)).toBe('#chosen&moved')
  })

  test('has a step at once: what waited is where it leads back to', () => {
    const { browser, address } = bench()
    address.write('#1', 'move')
    address.write('#2', 'move')
    address.write('#3', 'step')
    expect([browser.hash, browser.steps]).toEqual(['#3', ['#2']])
    address.write('#3', 'step')
    expect(browser.steps, 'the same again is none').toEqual(['#2'])
    browser.run()
    browser.refuses = true
    address.write('#4', 'step')
    browser.refuses = false
    browser.run()
    expect([browser.hash, browser.steps], 'one that was refused is shown all the same').toEqual(['#4', ['#2']])
  })

  test('is written later when the browser refuses, and before a step', () => {
    const { browser, address } = bench()
    browser.refuses = true
    address.write('#1', 'move')
    address.write('#2', 'move')
    browser.refuses = false
    browser.run()
    address.write('#3', 'move')
    address.flush()
    expect(browser.written).toEqual(['#2', '#3'])
  })

  test('of somebody who went elsewhere stays', () => {
    const { browser, address } = bench()
    address.write('#1', 'move')
    address.write('#2', 'move')
    browser.hash = '#elsewhere'
    browser.run()
    expect(browser.written).toEqual(['#1'])
  })
})
