import { expect, test, vi } from 'vitest'
import { stubPage } from './stub-page'

/** The one socket of the page. */
class StubSocket {
  static last: StubSocket
  readonly sent: string[] = []
  onopen: (() => void) | null = null
  onmessage: ((event: { data: string }) => void) | null = null
  constructor() {
    StubSocket.last = this
  }
  send(text: string): void {
    this.sent.push((JSON.parse(text) as { type: string }).type)
  }
  close(): void {}
}

test('a cable is pulled, of which nobody is told: the page says that it hears nothing, and shows no time of which nothing is known', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'performance', 'Date'] })
  vi.stubGlobal('requestAnimationFrame', () => 0)
  vi.stubGlobal('window', { addEventListener: () => undefined })
  vi.stubGlobal('WebSocket', StubSocket)
  stubPage()
  const live = await import('../src/live')
  const { describe } = await import('../src/parts/connection')
  const text = () => {
    const { text, rest = '' } = describe(live.connection.value, performance.now())
    return `${text} ${rest}`.trim()
  }
  live.liveStart(() => undefined)
  StubSocket.last.onopen?.()
  const heardAt = Date.now()
  vi.advanceTimersByTime(15_000)
  expect([text(), StubSocket.last.sent]).toEqual(['Live', ['ping']])
  expect(live.shownNow()).toBe(Date.now())
  vi.advanceTimersByTime(5_000)
  expect([text(), live.isHeard(), live.shownNow()]).toEqual(['No answer for 20 s', false, heardAt])
  vi.advanceTimersByTime(7_000)
  expect([text(), live.shownNow()]).toEqual(['No answer for 27 s', heardAt])
  // The line was slow, or the cable is there again: what was under way comes.
  StubSocket.last.onmessage?.({ data: '{"type":"pong"}' })
  expect([text(), live.isHeard(), live.shownNow()]).toEqual(['Live', true, Date.now()])
  vi.advanceTimersByTime(15_000)
  expect(StubSocket.last.sent, 'and it is asked again when it is quiet again').toEqual(['ping', 'ping'])
  vi.advanceTimersByTime(60_000)
  expect(text()).toMatch(/^Reconnecting in/)
  expect(live.shownNow()).toBe(heardAt + 27_000)
})
