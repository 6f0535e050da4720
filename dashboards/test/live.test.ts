import { beforeEach, describe, expect, test, vi } from 'vitest'
import { stubPage } from './stub-page'

/** The socket of the page, with what was sent on it. */
class StubSocket {
  static readonly sent: { type: string; id: string }[] = []
  static opened: StubSocket[] = []
  onopen: (() => void) | null = null
  onmessage: ((event: { data: string }) => void) | null = null
  constructor() {
    StubSocket.opened.push(this)
  }
  send(text: string): void {
    StubSocket.sent.push(JSON.parse(text) as { type: string; id: string })
  }
  close(): void {}
}

vi.stubGlobal('requestAnimationFrame', () => 0)
vi.stubGlobal('window', { addEventListener: () => undefined })
vi.stubGlobal('WebSocket', StubSocket)
stubPage()
const live = await import('../src/live')
live.exposeForTests()
live.liveStart(() => undefined)
StubSocket.opened[0]?.onopen?.()

interface Handle {
  subscriptions(): { select: string[] }[]
}
const held = () => (window as unknown as { __telltale: Handle }).__telltale.subscriptions()
const asked = (type: string) => StubSocket.sent.filter((one) => one.type === type).map(({ id }) => id)

beforeEach(() => {
  StubSocket.sent.length = 0
})

describe('what a view watches', () => {
  test('is not asked for by a view that was drawn and never shown', () => {
    const views = Array.from({ length: 1_000 }, () => live.prepare({ select: ['pump/*'], history: '16m' }))
    expect([held(), StubSocket.sent, views[0]?.sub.phase]).toEqual([[], [], 'asked'])
    for (const one of views) one.stop()
    expect([held(), StubSocket.sent]).toEqual([[], []])
  })

  test('ends with the view: of a thousand that came and went nothing is left', () => {
    for (let i = 0; i < 1_000; i += 1) {
      const one = live.prepare({ select: [`pump-${i}/*`] })
      one.start()
      expect(held()).toHaveLength(1)
      one.stop()
    }
    expect(held()).toEqual([])
    expect(new Set(asked('subscribe')).size).toBe(1_000)
    expect(asked('unsubscribe')).toEqual(asked('subscribe'))
  })

  test('is what is asked for from its start on', () => {
    const one = live.prepare({ select: ['pump/*'] }, { ringBound: 8 })
    one.start()
    const id = asked('subscribe')[0] ?? ''
    const series = [{ series: 0, device: 'pump', metric: 'p', labels: {}, unit: '', kind: 'gauge', points: [[1, 2]] }]
    const snapshot = { type: 'snapshot', id, cursor: 'c', recovered: false, series }
    StubSocket.opened[0]?.onmessage?.({ data: JSON.stringify(snapshot) })
    expect([one.sub.phase, one.sub.ringBound, [...one.sub.series.values()][0]?.last]).toEqual(['live', 8, [1, 2]])
    one.stop()
  })
})
