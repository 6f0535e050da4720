import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { type ConnectOptions, connect, type TelltaleError } from '../src/connect.js'
import type { ConnectionState } from '../src/connection.js'
import { encodeMsgpack } from '../src/msgpack.js'
import type { Fetch } from '../src/surroundings.js'

/** A WebSocket in the hand of the test. */
class FakeSocket {
  static all: FakeSocket[] = []
  onopen: (() => void) | null = null
  onmessage: ((event: { data: unknown }) => void) | null = null
  onclose: ((event: { code: number; reason: string }) => void) | null = null
  onerror: (() => void) | null = null
  binaryType = 'blob'
  closed = false
  readonly sent: unknown[] = []
  readonly url: string
  readonly protocols: string[] | undefined
  constructor(url: string, protocols?: string[]) {
    this.url = url
    this.protocols = protocols
    FakeSocket.all.push(this)
  }
  send(data: unknown) {
    this.sent.push(typeof data === 'string' ? JSON.parse(data) : data)
  }
  close() {
    this.closed = true
  }
  tell(message: object) {
    this.onmessage?.({ data: JSON.stringify(message) })
  }
}
const newest = () => FakeSocket.all.at(-1) as FakeSocket
const SERIES = { series: 0, device: 'd', metric: 'm', labels: {}, unit: '', kind: 'gauge' }
const snapshot = (id: string, cursor: string, recovered = false) => ({
  type: 'snapshot',
  id,
  cursor,
  recovered,
  series: [{ ...SERIES, points: [[1, 1]] }],
})
const update = (id: string, cursor: string, time: number) => ({ type: 'update', id, cursor, points: [[0, time, time]] })

let states: ConnectionState[] = []
let errors: TelltaleError[] = []
function open(options: ConnectOptions & { exact?: false } = {}) {
  return connect('http://hub:1/base', {
    WebSocket: FakeSocket,
    fetch: async () => ({ status: 200, json: async () => ({}) }),
    onState: (state) => states.push(state),
    onError: (error) => errors.push(error),
    ...options,
  })
}
const phase = () => states.at(-1)?.phase
const answer = (status: number, body: unknown): Fetch => vi.fn<Fetch>(async () => ({ status, json: async () => body }))

beforeEach(() => {
  vi.useFakeTimers()
  FakeSocket.all = []
  states = []
  errors = []
})
afterEach(() => {
  vi.useRealTimers()
})

test.each([
  ['http://hub:1', {}, 'ws://hub:1/api/v1/live', undefined],
  ['https://hub/telltale/', {}, 'wss://hub/telltale/api/v1/live', undefined],
  ['wss://hub/telltale?x#y', {}, 'wss://hub/telltale/api/v1/live', undefined],
  ['ws://hub', { encoding: 'msgpack' }, 'ws://hub/api/v1/live', ['telltale.live.v1.msgpack']],
  ['ws://hub', { exact: true }, 'ws://hub/api/v1/live', ['telltale.live.v1.msgpack']],
] as [string, ConnectOptions & { exact?: false }, string, string[] | undefined][])(
  '%s with %j opens %s',
  (url, options, expected, protocols) => {
    connect(url, { WebSocket: FakeSocket, ...options }).close()
    expect([newest().url, newest().protocols]).toEqual([expected, protocols])
  },
)

test('an address that is none, no WebSocket, and exact JSON are refused at once', () => {
  expect(() => connect('ftp://hub', { WebSocket: FakeSocket })).toThrow('http, https, ws or wss')
  expect(() => connect('hub', { WebSocket: FakeSocket })).toThrow(TypeError)
  vi.stubGlobal('WebSocket', undefined)
  expect(() => connect('http://hub')).toThrow('options.WebSocket')
  vi.unstubAllGlobals()
  expect(() => connect('http://hub', { WebSocket: FakeSocket, exact: true, encoding: 'json' } as never)).toThrow(
    'exact',
  )
})

test('a token is changed for a ticket before each connection', async () => {
  const fetch = answer(200, { ticket: 'tk 1' })
  const hub = open({ token: 'secret', fetch })
  await vi.advanceTimersByTimeAsync(0)
  expect(fetch).toHaveBeenLastCalledWith('http://hub:1/base/api/v1/live/ticket', {
    method: 'POST',
    headers: { authorization: 'Bearer secret' },
  })
  expect(newest().url).toBe('ws://hub:1/base/api/v1/live?ticket=tk%201')
  newest().onopen?.()
  newest().onclose?.({ code: 1006, reason: '' })
  await vi.advanceTimersByTimeAsync(1_000)
  expect([FakeSocket.all.length, vi.mocked(fetch).mock.calls.length]).toEqual([2, 2])
  hub.close()
})

test.each([
  [
    401,
    { error: { code: 'unauthorized', message: 'the token is unknown or was revoked' } },
    'ended',
    'the token is unknown or was revoked',
  ],
  [403, { error: { code: 'forbidden', message: 'this needs a viewer' } }, 'ended', 'this needs a viewer'],
  [503, {}, 'waiting', 'the hub answered 503 to POST api/v1/live/ticket'],
  [200, {}, 'waiting', 'the answer of POST api/v1/live/ticket holds no ticket'],
])('a ticket answered with %i %j: %s', async (status, body, expected, reason) => {
  const hub = open({ token: 't', fetch: answer(status, body) })
  await vi.advanceTimersByTimeAsync(0)
  expect(states.at(-1)).toMatchObject({ phase: expected, cause: { reason } })
  hub.close()
})

test('a hub that cannot be reached is tried again, and the cause is told', async () => {
  const failed = new TypeError('fetch failed', { cause: new Error('connect ECONNREFUSED') })
  const hub = open({ token: 't', fetch: async () => Promise.reject(failed) })
  await vi.advanceTimersByTimeAsync(0)
  expect(states.at(-1)).toMatchObject({
    phase: 'waiting',
    cause: { code: 1006, reason: 'fetch failed: connect ECONNREFUSED' },
  })
  hub.close()
})

test('a ticket that comes after closing opens nothing', async () => {
  const hub = open({ token: 't', fetch: answer(200, { ticket: 'x' }) })
  hub.close()
  await vi.advanceTimersByTimeAsync(60_000)
  expect(FakeSocket.all).toEqual([])
})

test('a ticket as a function is asked for each connection; as a text it is good for one', async () => {
  let n = 0
  const many = open({ ticket: () => `t${++n}` })
  await vi.advanceTimersByTimeAsync(0)
  newest().onclose?.({ code: 1006, reason: '' })
  await vi.advanceTimersByTimeAsync(1_000)
  expect(FakeSocket.all.map((s) => s.url.split('=')[1])).toEqual(['t1', 't2'])
  many.close()
  const one = open({ ticket: 'only' })
  await vi.advanceTimersByTimeAsync(0)
  newest().onclose?.({ code: 1006, reason: '' })
  await vi.advanceTimersByTimeAsync(1_000)
  expect(states.at(-1)).toMatchObject({ phase: 'ended', cause: { reason: expect.stringContaining('one connection') } })
  one.close()
})

test('without token and ticket the session is asked for when an upgrade fails', async () => {
  const fetch = answer(401, {})
  const hub = open({ fetch })
  newest().onclose?.({ code: 1006, reason: '' })
  await vi.advanceTimersByTimeAsync(0)
  expect(fetch).toHaveBeenCalledWith('http://hub:1/base/api/v1/session', { method: 'GET' })
  expect(phase()).toBe('ended')
  hub.close()
})

test('changes come with their cursor, and a break resumes from the last', async () => {
  const hub = open()
  const seen: unknown[] = []
  const sub = hub.subscribe('d/*', { history: '15m', maxHz: 5 }, (change) => {
    seen.push([change.type, change.cursor, change.points.map((p) => p.value)])
  })
  newest().onopen?.()
  expect(newest().sent).toEqual([{ type: 'subscribe', id: 's1', select: ['d/*'], history: '15m', max_hz: 5 }])
  newest().tell(snapshot('s1', 'c1'))
  newest().tell(update('s1', 'c2', 2))
  expect([sub.phase, sub.cursor]).toEqual(['live', 'c2'])
  newest().onclose?.({ code: 1006, reason: '' })
  await vi.advanceTimersByTimeAsync(1_000)
  newest().onopen?.()
  expect([newest().sent, sub.phase]).toEqual([
    [{ type: 'subscribe', id: 's1', select: ['d/*'], history: '15m', max_hz: 5, cursor: 'c2' }],
    'asked',
  ])
  newest().tell({ ...snapshot('s1', 'c3', true), series: [{ ...SERIES, points: [[3, 3]] }] })
  expect(seen).toEqual([
    ['snapshot', 'c1', [1]],
    ['update', 'c2', [2]],
    ['snapshot', 'c3', [3]],
  ])
  hub.close()
})

test('a cursor from elsewhere is sent with the first subscribe', () => {
  const hub = open()
  hub.subscribe(['a/*', 'b/*'], { cursor: 'kept' }, () => undefined)
  newest().onopen?.()
  expect(newest().sent).toEqual([{ type: 'subscribe', id: 's1', select: ['a/*', 'b/*'], cursor: 'kept' }])
  hub.close()
})

test('a refusal goes to the subscription, else to the hub, else is thrown; nothing is asked again', async () => {
  const refusal = { type: 'error', id: 's1', error: { code: 'bad_selector', message: 'no /', hint: 'NAME/*' } }
  const hub = open()
  const own: TelltaleError[] = []
  const sub = hub.subscribe('nonsense', { onError: (error) => own.push(error) }, () => undefined)
  newest().onopen?.()
  newest().tell(refusal)
  expect([sub.phase, own[0]?.code, own[0]?.hint, errors]).toEqual(['refused', 'bad_selector', 'NAME/*', []])
  hub.subscribe('more', {}, () => undefined)
  newest().tell({ ...refusal, id: 's2' })
  expect(errors.map((e) => e.message)).toEqual(['no /'])
  newest().onclose?.({ code: 1006, reason: '' })
  await vi.advanceTimersByTimeAsync(1_000)
  newest().onopen?.()
  expect(newest().sent).toEqual([])
  sub.unsubscribe()
  expect(newest().sent).toEqual([])
  hub.close()
})

test('an unsubscribed callback is not called any more, whatever is under way', () => {
  const hub = open()
  const onData = vi.fn()
  const sub = hub.subscribe('d/*', {}, onData)
  newest().onopen?.()
  newest().tell(snapshot('s1', 'c1'))
  sub.unsubscribe()
  newest().tell(update('s1', 'c2', 2))
  newest().tell({ type: 'error', id: 's1', error: { code: 'not_found', message: 'unknown' } })
  expect([onData.mock.calls.length, newest().sent.at(-1), errors]).toEqual([1, { type: 'unsubscribe', id: 's1' }, []])
  hub.close()
})

test('while a promise is pending nothing more is handed over, and the order stays', async () => {
  const hub = open()
  const seen: unknown[] = []
  let free: () => void = () => undefined
  hub.subscribe('d/*', {}, async ({ cursor }) => {
    seen.push(cursor)
    await new Promise<void>((done) => {
      free = done
    })
  })
  newest().onopen?.()
  newest().tell(snapshot('s1', 'c1'))
  newest().tell(update('s1', 'c2', 2))
  newest().tell(update('s1', 'c3', 3))
  expect(seen).toEqual(['c1'])
  free()
  await vi.advanceTimersByTimeAsync(0)
  expect(seen).toEqual(['c1', 'c2'])
  free()
  await vi.advanceTimersByTimeAsync(0)
  expect(seen).toEqual(['c1', 'c2', 'c3'])
  hub.close()
})

test('past the bound of what waits the socket is let go of, and the next one resumes from what was handed over', async () => {
  const hub = open({ maxQueuedBytes: 200 })
  const seen: unknown[] = []
  let free: () => void = () => undefined
  hub.subscribe('d/*', {}, async ({ cursor }) => {
    seen.push(cursor)
    await new Promise<void>((done) => {
      free = done
    })
  })
  newest().onopen?.()
  newest().tell(snapshot('s1', 'c1'))
  for (let n = 2; n < 9; n += 1) newest().tell(update('s1', `c${n}`, n))
  expect([FakeSocket.all[0]?.closed, states.at(-1)]).toMatchObject([
    true,
    { phase: 'waiting', cause: { reason: expect.stringContaining('behind') } },
  ])
  free()
  await vi.advanceTimersByTimeAsync(0)
  expect(seen).toEqual(['c1', 'c2'])
  await vi.advanceTimersByTimeAsync(1_000)
  newest().onopen?.()
  expect(newest().sent).toMatchObject([{ cursor: 'c2' }])
  newest().tell({ ...snapshot('s1', 'c9', true) })
  free()
  await vi.advanceTimersByTimeAsync(0)
  expect(seen).toEqual(['c1', 'c2', 'c9'])
  hub.close()
})

test('closing hands nothing over any more, nor what waits', async () => {
  const hub = open()
  const seen: unknown[] = []
  hub.subscribe('d/*', {}, async ({ cursor }) => {
    seen.push(cursor)
  })
  newest().onopen?.()
  newest().tell(snapshot('s1', 'c1'))
  newest().tell(update('s1', 'c2', 2))
  hub.close()
  await vi.advanceTimersByTimeAsync(60_000)
  expect([seen, phase(), newest().closed, FakeSocket.all.length]).toEqual([['c1'], 'idle', true, 1])
})

test('what a callback throws is thrown where uncaught errors go, and the feed goes on', () => {
  const thrown: unknown[] = []
  vi.stubGlobal('queueMicrotask', (run: () => void) => {
    try {
      run()
    } catch (error) {
      thrown.push(error)
    }
  })
  const hub = open()
  const seen: unknown[] = []
  hub.subscribe('d/*', {}, ({ cursor }) => {
    seen.push(cursor)
    throw new Error(`at ${cursor}`)
  })
  newest().onopen?.()
  newest().tell(snapshot('s1', 'c1'))
  newest().tell(update('s1', 'c2', 2))
  vi.unstubAllGlobals()
  expect([seen, thrown.map(String), phase()]).toEqual([['c1', 'c2'], ['Error: at c1', 'Error: at c2'], 'live'])
  hub.close()
})

test('a message that cannot be read is told, and all is asked for anew', async () => {
  const hub = open()
  hub.subscribe('d/*', {}, () => undefined)
  newest().onopen?.()
  newest().tell(snapshot('s1', 'c1'))
  newest().tell({ type: 'update', id: 's1', cursor: 'c2', points: [[5, 1, 1]] })
  expect([errors.map((e) => [e.code, e.message]), phase()]).toEqual([
    [['bad_message', 'series 5 was never described']],
    'waiting',
  ])
  await vi.advanceTimersByTimeAsync(1_000)
  newest().onopen?.()
  expect(newest().sent[0]).not.toHaveProperty('cursor')
  hub.close()
})

test('after a message that cannot be read, what waited behind it is not handed over', async () => {
  const hub = open()
  const seen: unknown[] = []
  hub.subscribe('d/*', {}, async ({ cursor }) => {
    seen.push(cursor)
  })
  newest().onopen?.()
  newest().tell(snapshot('s1', 'c1'))
  newest().tell({ type: 'update', id: 's1', cursor: 'c2', points: [[5, 1, 1]] })
  newest().tell(update('s1', 'c3', 3))
  await vi.advanceTimersByTimeAsync(1_000)
  newest().onopen?.()
  expect([seen, errors.length, newest().sent]).toEqual([['c1'], 1, [{ type: 'subscribe', id: 's1', select: ['d/*'] }]])
  hub.close()
})

test('a page that comes online or is shown again does not wait, until it closes', () => {
  const page = new EventTarget()
  const world = new EventTarget()
  const document = Object.assign(page, { baseURI: 'http://hub:1/', visibilityState: 'hidden' })
  vi.stubGlobal('document', document)
  vi.stubGlobal('addEventListener', world.addEventListener.bind(world))
  vi.stubGlobal('removeEventListener', world.removeEventListener.bind(world))
  const hub = open()
  const wakes = (target: EventTarget, type: string) => {
    newest().onclose?.({ code: 1006, reason: '' })
    const before = FakeSocket.all.length
    target.dispatchEvent(new Event(type))
    return FakeSocket.all.length - before
  }
  expect([wakes(world, 'online'), wakes(page, 'visibilitychange')]).toEqual([1, 0])
  document.visibilityState = 'visible'
  page.dispatchEvent(new Event('visibilitychange'))
  expect(wakes(page, 'visibilitychange')).toBe(1)
  hub.close()
  expect([wakes(world, 'online'), wakes(page, 'visibilitychange')]).toEqual([0, 0])
  vi.unstubAllGlobals()
})

test('states of devices are handed over', () => {
  const hub = open()
  const onDevices = vi.fn()
  hub.subscribe('d/*', { onDevices }, () => undefined)
  newest().onopen?.()
  newest().tell({
    type: 'state',
    id: 's1',
    devices: [{ device: 'd', state: 'online', since: 5, seen: null, via: null }],
  })
  expect(onDevices).toHaveBeenCalledWith([{ device: 'd', state: 'online', since: 5 }])
  hub.close()
})

test('MessagePack goes both ways as bytes', () => {
  const hub = open({ encoding: 'msgpack' })
  hub.subscribe('d/*', {}, () => undefined)
  newest().onopen?.()
  expect([newest().binaryType, newest().sent]).toEqual([
    'arraybuffer',
    [encodeMsgpack({ type: 'subscribe', id: 's1', select: ['d/*'] })],
  ])
  newest().onmessage?.({ data: 'text' })
  expect(errors.map((e) => e.message)).toEqual(['a text frame came on a MessagePack connection'])
  hub.close()
})
