// The package against a real hub: what is promised about changes, breaks and ends.
import {
  type Change,
  type ConnectionState,
  type ConnectOptions,
  connect,
  type Hub,
  Mirror,
  type TelltaleError,
} from '@telltale/client'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { Bench, nowNs, WebSocket } from './bench'

let b: Bench
const open: { close(): void }[] = []
let states: ConnectionState[] = []

beforeAll(async () => {
  b = await Bench.start()
})
afterAll(async () => {
  await b.hub.end()
})
afterEach(() => {
  for (const hub of open.splice(0)) hub.close()
  states = []
})

function exact(options: Partial<ConnectOptions> = {}): Hub<bigint> {
  const hub = connect(b.url, {
    token: b.viewer,
    WebSocket,
    onState: (state) => states.push(state),
    ...options,
    exact: true,
  })
  open.push(hub)
  return hub
}

/** A mirror of a device that also sees to it that nothing is told twice. */
function watch(hub: Hub<bigint>, device: string, options = {}) {
  const mirror = new Mirror<bigint>()
  const changes: Change<bigint>[] = []
  const twice: string[] = []
  const told = new Set<string>()
  const sub = hub.subscribe(`${device}/*`, { history: '1h', ...options }, (change) => {
    changes.push(change)
    mirror.apply(change)
    if (change.reset) told.clear()
    for (const { series, time, value } of change.points) {
      const point = `${series.metric} ${time}=${value}`
      if (told.has(point)) twice.push(point)
      told.add(point)
    }
  })
  const held = () =>
    Object.fromEntries(
      mirror.series.map((series) => {
        const { times, values } = mirror.columns(series)
        return [series.metric, times.map((time, i) => `${time}=${values[i]}`)]
      }),
    )
  return { sub, changes, twice, held }
}
type Watched = ReturnType<typeof watch>

async function equalsHistory(watched: Watched, device: string): Promise<void> {
  const expected = await b.history(device)
  await expect.poll(watched.held, { timeout: 10_000 }).toEqual(expected)
  expect(watched.twice).toEqual([])
}
const phase = () => states.at(-1)?.phase
const isLive = (watched: Watched) => expect.poll(() => watched.sub.phase, { timeout: 10_000 }).toBe('live')

test('values arrive, as JSON with times in ms and as MessagePack with the same', async () => {
  const t = nowNs()
  await b.write('first', ['a', '21.5', t], ['on', 'true', t])
  const seen: Record<string, unknown[]> = { json: [], msgpack: [] }
  for (const encoding of ['json', 'msgpack'] as const) {
    const hub = connect(b.url, { token: b.viewer, WebSocket, encoding })
    open.push(hub)
    hub.subscribe('first/*', {}, ({ points }) => {
      for (const { series, time, value } of points) seen[encoding]?.push([series.device, series.metric, time, value])
    })
  }
  const ms = Number(t / 1_000_000n)
  const first = [
    ['first', 'm.a', ms, 21.5],
    ['first', 'm.on', ms, true],
  ]
  await expect.poll(() => seen).toEqual({ json: first, msgpack: first })
  await b.write('first', ['a', '-3i', t + 1_500_000n], ['note', '"späť"', t + 2_000_000n])
  const more = [...first, ['first', 'm.a', ms + 1.5, -3], ['first', 'm.note', ms + 2, 'späť']]
  await expect.poll(() => seen).toEqual({ json: more, msgpack: more })
})

test('exact times and integers keep every digit', async () => {
  const t = nowNs() + 123_456n
  await b.write(
    'digits',
    ['big', '9223372036854775807i', t],
    ['big', '-9223372036854775808i', t + 1n],
    ['small', '7i', t + 2n],
  )
  const w = watch(exact(), 'digits')
  await equalsHistory(w, 'digits')
  expect(w.held()).toEqual({
    'm.big': [`${t}=9223372036854775807`, `${t + 1n}=-9223372036854775808`],
    'm.small': [`${t + 2n}=7`],
  })
  await b.write('digits', ['big', '9007199254740993i', t + 3n])
  await equalsHistory(w, 'digits')
})

test('late and rewritten readings are patches, a delete removes', async () => {
  const t = nowNs()
  await b.write('late', ['a', '1', t - 3_000_000n], ['a', '3', t])
  const w = watch(exact(), 'late')
  await isLive(w)
  await b.write('late', ['a', '2', t - 2_000_000n])
  await b.write('late', ['a', '33', t])
  await equalsHistory(w, 'late')
  expect(w.held()['m.a']).toEqual([`${t - 3_000_000n}=1`, `${t - 2_000_000n}=2`, `${t}=33`])
  expect(w.changes.slice(1).every((change) => change.type === 'patch')).toBe(true)
  await b.hub.cli('delete', '--select', 'late/*', '--from', '-1h', '--yes')
  await equalsHistory(w, 'late')
  expect(w.held()).toEqual({})
})

test('a hub that is killed and started again: resumed by cursor, without a hole or a double', async () => {
  const t = nowNs()
  await b.write('killed', ['a', '0', t])
  const w = watch(exact(), 'killed', { maxHz: 60 })
  await isLive(w)
  for (let n = 1n; n <= 40n; n += 1n) {
    await b.write('killed', ['a', `${n}`, t + n])
    if (n % 10n !== 0n) continue
    await b.hub.kill('SIGKILL')
    await b.hub.restart()
    // Before the client is back: a late one, which must come as a patch of the resume.
    await b.write('killed', ['a', `${-n}`, t - n])
  }
  await equalsHistory(w, 'killed')
  expect(w.changes.filter((change) => change.reset)).toHaveLength(1)
  expect(w.changes.filter((change) => change.type === 'snapshot').length).toBeGreaterThan(1)
  expect(states.some((state) => state.phase === 'waiting')).toBe(true)
})

test('another program goes on from a cursor that was kept', async () => {
  const t = nowNs()
  await b.write('kept', ['a', '1', t], ['b', '1', t])
  const before = exact()
  const first = watch(before, 'kept')
  await isLive(first)
  const { cursor } = first.sub
  before.close()
  await b.write('kept', ['a', '2', t + 1n])
  const w = watch(exact(), 'kept', { cursor })
  await isLive(w)
  expect(w.changes[0]).toMatchObject({ type: 'snapshot', reset: false })
  expect(w.held()).toEqual({ 'm.a': [`${t + 1n}=2`] })
  const void1 = watch(exact(), 'kept', { cursor: '0000000000000001-1' })
  await equalsHistory(void1, 'kept')
  expect(void1.changes[0]?.reset).toBe(true)
})

test('a callback that is slow gets all of it, in order, though the client lets go of the socket on the way', async () => {
  const t = nowNs()
  const hub = exact({ maxQueuedBytes: 2_000 })
  const mirror = new Mirror<bigint>()
  let calls = 0
  let under = 0
  const sub = hub.subscribe('slow/*', { history: '1h', maxHz: 60 }, async (change) => {
    under += 1
    expect(under).toBe(1)
    calls += 1
    mirror.apply(change)
    // Only while there is much to do, so that the test ends.
    if (calls < 4) await new Promise((done) => setTimeout(done, 400))
    under -= 1
  })
  await expect.poll(() => sub.phase).toBe('live')
  for (let n = 0n; n < 60n; n += 1n) {
    await b.write(
      'slow',
      ...Array.from({ length: 20 }, (_, i) => ['a', `${n}`, t + n * 20n + BigInt(i)] as [string, string, bigint]),
    )
  }
  const [expected] = Object.values(await b.history('slow'))
  const held = () =>
    mirror.series.flatMap((series) => {
      const { times, values } = mirror.columns(series)
      return times.map((time, i) => `${time}=${values[i]}`)
    })
  await expect.poll(held, { timeout: 15_000 }).toEqual(expected)
  expect(expected).toHaveLength(1200)
  expect(states.some((state) => state.phase === 'waiting' && /behind/.test(state.cause.reason))).toBe(true)
})

test('after unsubscribe nothing comes; another subscription goes on', async () => {
  const t = nowNs()
  const hub = exact()
  const one = watch(hub, 'left')
  const two = watch(hub, 'left')
  await isLive(one)
  await isLive(two)
  one.sub.unsubscribe()
  await b.write('left', ['a', '1', t])
  await equalsHistory(two, 'left')
  expect(one.held()).toEqual({})
})

test('a selector that is none is refused with the hub’s own words, and the connection stays', async () => {
  const hub = exact()
  const errors: TelltaleError[] = []
  const bad = hub.subscribe('nonsense', { onError: (error) => errors.push(error) }, () => undefined)
  await expect.poll(() => bad.phase).toBe('refused')
  expect([errors[0]?.code, errors[0]?.hint, phase()]).toEqual([
    'bad_selector',
    expect.stringContaining('nonsense/*'),
    'live',
  ])
})

test('devices tell that they came', async () => {
  const devices: unknown[] = []
  exact().subscribe('seen/*', { onDevices: (some) => devices.push(...some) }, () => undefined)
  await b.write('seen', ['a', '1', nowNs()])
  await expect
    .poll(() => devices.at(-1), { timeout: 10_000 })
    .toMatchObject({ device: 'seen', since: expect.any(BigInt) })
})

test('a token that is revoked ends the connection for good, and says so', async () => {
  const token = await b.hub.token('viewer', 'guest')
  const hub = exact({ token })
  const w = watch(hub, 'first')
  await isLive(w)
  await b.hub.revoke('guest')
  await expect.poll(phase, { timeout: 10_000 }).toBe('ended')
  expect(states.at(-1)).toMatchObject({ phase: 'ended', cause: { code: 4401, reason: expect.stringMatching(/token/) } })
  hub.wake()
  expect(phase()).toBe('ended')
})

test.each([
  ['an unknown token', () => 'tt_nobody', /unknown or was revoked/],
  ['the token of an agent', () => b.hub.token('agent', 'wrong role'), /viewer or an admin/],
])('%s ends it at once, in the hub’s words', async (_, token, reason) => {
  exact({ token: await token() })
  await expect.poll(phase).toBe('ended')
  expect(states.at(-1)).toMatchObject({ cause: { code: 4401, reason: expect.stringMatching(reason) } })
})
