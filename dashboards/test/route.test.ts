import { beforeAll, describe, expect, test, vi } from 'vitest'

let hash = ''
const listeners: (() => void)[] = []

beforeAll(() => {
  const location = {
    get hash() {
      return hash
    },
  }
  vi.stubGlobal('location', location)
  vi.stubGlobal('window', {
    addEventListener: (name: string, run: () => void) => name === 'hashchange' && listeners.push(run),
  })
  vi.stubGlobal('history', {
    replaceState: (_: unknown, __: string, next: string) => {
      hash = next
    },
  })
})

const go = (next: string) => {
  hash = next
  for (const run of listeners) run()
}

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
  ])('%j is the page %s', async (address, page) => {
    const { parseRoute } = await import('../src/route')
    expect(parseRoute(address).page).toBe(page)
  })

  test('a link in a zone is shown in it; a zone that is chosen is in the link; it is not kept for the next visit', async () => {
    vi.useFakeTimers()
    const stored: Record<string, string> = {}
    vi.stubGlobal('localStorage', {
      getItem: (key: string) => stored[key] ?? null,
      setItem: (key: string, value: string) => {
        stored[key] = value
      },
      removeItem: (key: string) => delete stored[key],
    })
    const { setZone, zone } = await import('../src/zone')
    const { replaceHash, shownQuery } = await import('../src/route')
    go('#/explore?select=a%2F*&range=today&tz=Asia%2FKathmandu')
    expect([zone.value, stored]).toEqual(['Asia/Kathmandu', {}])
    setZone('UTC')
    expect(shownQuery().toString()).toBe('select=a%2F*&range=today&tz=UTC')
    vi.runAllTimers()
    expect(hash).toBe('#/explore?select=a%2F*&range=today&tz=UTC')
    go('#/device/pump?range=1h')
    vi.runAllTimers()
    expect(hash, 'what has no zone gets the one that is shown').toBe('#/device/pump?range=1h&tz=UTC')
    go('#/device/pump?range=1h&tz=Mars%2FOlympus')
    expect(zone.value, 'what is no zone is none').toBe('UTC')
    replaceHash('#/device/pump?range=week')
    vi.runAllTimers()
    expect(hash, 'nor is it lost by another range').toBe('#/device/pump?range=week&tz=UTC')
    replaceHash('#/device/pump?range=1h')
    setZone('local')
    vi.runAllTimers()
    expect(hash).toBe('#/device/pump?range=1h')
    vi.useRealTimers()
  })
})
