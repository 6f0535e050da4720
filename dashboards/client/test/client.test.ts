import { expect, test } from 'vitest'
import { LiveClient } from '../src/client.js'
import type { Socket } from '../src/surroundings.js'

/** A socket, a clock and a timer in the hand of the test. */
function bench() {
  const sockets: (Socket & { sent: Record<string, unknown>[]; closed: boolean })[] = []
  const timers: { run: () => void; ms: number }[] = []
  const problems: string[] = []
  let now = 0
  const client = new LiveClient(
    {
      open: () => {
        const sent: Record<string, unknown>[] = []
        const socket = {
          onopen: null,
          onmessage: null,
          onclose: null,
          onerror: null,
          sent,
          closed: false,
          send: (data: string | Uint8Array) => sent.push(JSON.parse(String(data)) as Record<string, unknown>),
          close: () => {
            socket.closed = true
          },
        }
        sockets.push(socket)
        return socket
      },
      now: () => now,
      hubNow: () => 1_000_000,
      random: () => 0,
      after: (ms, run) => {
        const timer = { run, ms }
        timers.push(timer)
        return () => timers.splice(timers.indexOf(timer), 1)
      },
      allowed: async () => true,
    },
    { connection: () => undefined, applied: () => undefined, problem: (message) => problems.push(message) },
  )
  return {
    client,
    sockets,
    problems,
    pass: (ms: number) => {
      now += ms
    },
    fire: () => timers.shift()?.run(),
    tell: (message: object) => sockets.at(-1)?.onmessage?.({ data: JSON.stringify(message) }),
    open: () => (sockets.at(-1)?.onopen as (() => void) | null)?.(),
    lose: (code = 1006) => sockets.at(-1)?.onclose?.({ code, reason: '' }),
  }
}
const SERIES = { series: 0, device: 'd', metric: 'm', labels: {}, unit: '', kind: 'gauge' }

test('after a break each subscription is asked for again with its cursor, and what was held stays', () => {
  const b = bench()
  b.client.start()
  const one = b.client.subscribe({ select: ['d/*'], history: '15m' })
  const two = b.client.subscribe({ select: ['*/*'], maxHz: 2 })
  b.open()
  expect(b.sockets[0]?.sent).toEqual([
    { type: 'subscribe', id: one.id, select: ['d/*'], history: '15m' },
    { type: 'subscribe', id: two.id, select: ['*/*'], max_hz: 2 },
  ])
  b.tell({
    type: 'snapshot',
    id: one.id,
    cursor: 'c1',
    recovered: false,
    series: [{ ...SERIES, points: [[999_000, 1]] }],
  })
  b.tell({ type: 'update', id: one.id, cursor: 'c2', points: [[0, 999_500, 2]] })
  b.pass(60_000)
  b.lose()
  b.fire()
  b.open()
  expect(b.sockets[1]?.sent[0]).toMatchObject({ id: one.id, cursor: 'c2' })
  expect(b.sockets[1]?.sent[1]).not.toHaveProperty('cursor')
  expect([...one.series.values()][0]?.ring.length).toBe(2)
  b.tell({
    type: 'snapshot',
    id: one.id,
    cursor: 'c3',
    recovered: true,
    series: [{ ...SERIES, points: [[999_600, 3]] }],
  })
  expect([...one.series.values()][0]?.ring.columns().times).toEqual(new Float64Array([999_000, 999_500, 999_600]))
})

test('a broken message is told, and the next connection asks for all anew', () => {
  const b = bench()
  b.client.start()
  const sub = b.client.subscribe({ select: ['*/*'] })
  b.open()
  b.tell({ type: 'snapshot', id: sub.id, cursor: 'c1', recovered: false, series: [] })
  b.tell({ type: 'update', id: sub.id, cursor: 'c2', points: [[5, 1, 1]] })
  expect(b.problems).toEqual([`series 5 of subscription ${sub.id} was never described`])
  expect(b.sockets[0]?.closed).toBe(true)
  b.fire()
  b.open()
  expect(b.sockets[1]?.sent[0]).not.toHaveProperty('cursor')
})

test('an unsubscribed id is not heard any more', () => {
  const b = bench()
  b.client.start()
  const sub = b.client.subscribe({ select: ['*/*'] })
  b.open()
  b.client.unsubscribe(sub)
  b.tell({ type: 'snapshot', id: sub.id, cursor: 'c1', recovered: false, series: [{ ...SERIES, points: [[1, 1]] }] })
  expect([b.sockets[0]?.sent.at(-1), sub.series.size]).toEqual([{ type: 'unsubscribe', id: sub.id }, 0])
})

test('who looks while a snapshot is on its way does not make it begin anew; a silent socket without one is left', () => {
  const b = bench()
  b.client.start()
  const sub = b.client.subscribe({ select: ['*/*'], history: '15m' })
  b.open()
  b.tell({ type: 'snapshot', id: sub.id, recovered: false, more: true, series: [{ ...SERIES, points: [] }] })
  b.pass(30_000)
  b.client.wake()
  expect([b.sockets.length, b.sockets[0]?.closed]).toEqual([1, false])
  b.tell({ type: 'snapshot', id: sub.id, cursor: 'c1', recovered: false, series: [] })
  b.pass(30_000)
  b.client.wake()
  expect([b.sockets.length, b.sockets[0]?.closed]).toEqual([2, true])
})
