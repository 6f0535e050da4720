import { beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'

interface Entry {
  hash: string
  state: unknown
}

/** A browser's history: its entries, and which is shown. */
let entries: Entry[] = []
let place = 0
const listeners: (() => void)[] = []
let stored: Record<string, string> = {}

const hash = () => entries[place]?.hash ?? ''

beforeAll(() => {
  const location = {
    get hash() {
      return hash()
    },
  }
  vi.stubGlobal('location', location)
  vi.stubGlobal('window', {
    addEventListener: (name: string, run: () => void) => name === 'hashchange' && listeners.push(run),
  })
  vi.stubGlobal('history', {
    get state() {
      return entries[place]?.state ?? null
    },
    replaceState: (state: unknown, _: string, hash: string) => {
      entries[place] = { hash, state }
    },
    pushState: (state: unknown, _: string, hash: string) => {
      place += 1
      entries = [...entries.slice(0, place), { hash, state }]
    },
  })
  vi.stubGlobal('localStorage', {
    getItem: (key: string) => stored[key] ?? null,
    setItem: (key: string, value: string) => {
      stored[key] = value
    },
    removeItem: (key: string) => delete stored[key],
  })
})

beforeEach(() => {
  vi.useFakeTimers()
  stored = {}
  load('')
})

/** As if the page were loaded at this address, or anew where it is. */
function load(address?: string): void {
  vi.resetModules()
  vi.clearAllTimers()
  listeners.length = 0
  if (address !== undefined) {
    entries = [{ hash: address, state: null }]
    place = 0
  }
}

/** A link is followed, or typed into the address. */
const go = (next: string) => {
  place += 1
  entries = [...entries.slice(0, place), { hash: next, state: null }]
  for (const run of listeners) run()
}

const back = () => {
  place -= 1
  for (const run of listeners) run()
}

const page = async () => ({ ...(await import('../src/route')), ...(await import('../src/zone')) })

describe('addresses', () => {
  test.each([
    ['', 'devices'],
    ['#/', 'devices'],
    ['#/?state=offline', 'devices'],
    ['#login=abc', 'devices'],
    ['#/device/a%2Fb?range=1h', 'device'],
    ['#/explore', 'explore'],
    ['#/status', 'status'],
    ['#/statsu', 'lost'],
    ['#/device/', 'lost'],
    ['#/device/%zz', 'lost'],
  ])('%j is the page %s', async (address, name) => {
    const { parseRoute } = await page()
    expect(parseRoute(address).page).toBe(name)
  })

  test('a link in a zone is shown in it; a zone that is chosen is in the link; it is not kept for the next visit', async () => {
    const { setZone, zone, goTo, shownQuery } = await page()
    go('#/explore?select=a%2F*&range=today&tz=Asia%2FKathmandu')
    expect([zone.value, stored]).toEqual(['Asia/Kathmandu', {}])
    setZone('UTC')
    expect(shownQuery().toString()).toBe('select=a%2F*&range=today&tz=UTC')
    expect(hash()).toBe('#/explore?select=a%2F*&range=today&tz=UTC')
    go('#/device/pump?range=1h')
    expect(hash(), 'what has no zone gets the one that is shown').toBe('#/device/pump?range=1h&tz=UTC')
    go('#/device/pump?range=1h&tz=Mars%2FOlympus')
    expect(zone.value, 'what is no zone is none').toBe('UTC')
    goTo('#/device/pump?range=week', 'move')
    vi.runAllTimers()
    expect(hash(), 'nor is it lost by another range').toBe('#/device/pump?range=week&tz=UTC')
    goTo('#/device/pump?range=1h', 'choice')
    setZone('local')
    expect(hash()).toBe('#/device/pump?range=1h')
  })

  test('a first day and a zone that are chosen while the address pauses are there when the page is loaded anew', async () => {
    load('#/device/hall?range=week&week=6')
    const first = await page()
    first.goTo('#/device/hall?range=week', 'move')
    first.setZone('UTC')
    first.setWeekStart(1)
    // No timer has run: somebody pressed a key at once.
    load()
    const again = await page()
    expect([again.weekChoice.value, again.zone.value]).toEqual([1, 'UTC'])
    expect(hash()).toBe('#/device/hall?range=week&week=1&tz=UTC')
  })

  test('the back button undoes a step, and not the zone and the first day that were chosen after it', async () => {
    load('#/device/hall?range=week&tz=UTC&week=6')
    const { goTo, setWeekStart, setZone, shownQuery, weekChoice, zone } = await page()
    goTo('#/device/hall?from=1000&to=2000', 'step')
    expect(shownQuery().get('from'), 'it is shown before the browser tells of it').toBe('1000')
    setZone('local')
    setWeekStart(1)
    back()
    expect([zone.value, weekChoice.value]).toEqual(['local', 1])
    expect(hash()).toBe('#/device/hall?range=week&week=1')
    go('#/device/hall?range=week&tz=Asia%2FTokyo&week=7')
    expect([zone.value, weekChoice.value], 'a link that is opened later has the word').toEqual(['Asia/Tokyo', 7])
    load()
    const again = await page()
    again.setWeekStart(6)
    back()
    expect(again.weekChoice.value, 'also where the page was loaded anew in between').toBe(6)
  })
})
