import { beforeEach, describe, expect, test, vi } from 'vitest'
import { stubPage } from './stub-page'

vi.stubGlobal('requestAnimationFrame', () => 0)
vi.stubGlobal('window', { addEventListener: () => undefined })
vi.stubGlobal('WebSocket', class {})
stubPage()
/** Answers of the hub that are still on their way, in the order they were asked for. */
const waiting: ((devices: string[], next?: string) => void)[] = []
vi.stubGlobal('fetch', () => {
  return new Promise<Response>((answer) =>
    waiting.push((devices, next) =>
      answer(Response.json({ devices: devices.map((device) => ({ device, state: 'online', since: 0 })), next })),
    ),
  )
})
const { listed, reload } = await import('../src/pages/devices/feed')
const { session } = await import('../src/session')

const settled = () => new Promise((done) => setTimeout(done, 0))
const shown = () => listed.value?.devices.map(({ device }) => device)
const answers = async (...of: Parameters<(typeof waiting)[number]>) => {
  waiting.shift()?.(...of)
  await settled()
}

beforeEach(() => {
  session.value = { phase: 'out' }
  session.value = { phase: 'in', session: { role: 'admin', name: '' } }
  waiting.length = 0
})

describe('the list of devices', () => {
  test('is shown page by page the first time, and later put in place whole', async () => {
    void reload()
    await answers(['a'], 'a')
    expect([shown(), listed.value?.whole]).toEqual([['a'], false])
    await answers(['b'])
    expect([shown(), listed.value?.whole]).toEqual([['a', 'b'], true])
    void reload()
    await answers(['a', 'c'], 'c')
    expect(shown()).toEqual(['a', 'b'])
    await answers(['d'])
    expect(shown()).toEqual(['a', 'c', 'd'])
  })

  test('that was asked for later stands, though the earlier answer comes last', async () => {
    void reload()
    void reload()
    waiting.reverse()
    await answers(['a', 'new'])
    await answers(['a'])
    expect(shown()).toEqual(['a', 'new'])
  })

  test('that comes after a logout is not shown to the next who logs in', async () => {
    void reload()
    session.value = { phase: 'out' }
    await answers(['secret'])
    session.value = { phase: 'in', session: { role: 'viewer', name: 'guest' } }
    expect(shown()).toBeUndefined()
  })
})
