import { describe, expect, test } from 'vitest'
import { backoffMs, type ConnectionEvent, type ConnectionState, step } from '../src/connection.js'

/** Runs events at their times from idle; gives the last state and all actions as words. */
function run(events: [number, ConnectionEvent][], random = () => 0.5): { state: ConnectionState; actions: string[] } {
  let state: ConnectionState = { phase: 'idle' }
  const actions: string[] = []
  for (const [now, event] of events) {
    const next = step(state, event, now, random)
    state = next.state
    actions.push(...next.actions.map((a) => (a.type === 'timer' ? `timer ${a.afterMs}` : a.type)))
  }
  return { state, actions }
}
const start: [number, ConnectionEvent] = [0, { type: 'start' }]
const opened: [number, ConnectionEvent] = [10, { type: 'opened' }]
const lost = (at: number): [number, ConnectionEvent] => [at, { type: 'closed', code: 1006, reason: '' }]

describe('connection', () => {
  test('opens, is live, waits after a break, opens again', () => {
    const { state, actions } = run([start, opened, lost(60_000), [60_375, { type: 'timer' }]])
    expect(state).toMatchObject({ phase: 'connecting', attempt: 1, cause: { code: 1006 } })
    expect(actions).toEqual(['open', 'timer 10000', 'cancel', 'timer 15000', 'timer 375', 'open', 'timer 10000'])
  })

  test('when nothing is heard the hub is asked; an answer keeps the connection, silence ends it', () => {
    const timer = (at: number): [number, ConnectionEvent] => [at, { type: 'timer' }]
    const heard = (at: number): [number, ConnectionEvent] => [at, { type: 'heard' }]
    const busy = run([start, opened, heard(14_000), timer(15_010)])
    expect(busy.actions.slice(-1)).toEqual(['timer 13990'])
    const answered = run([start, opened, timer(15_010), heard(15_020), timer(20_010)])
    expect(answered.state).toMatchObject({ phase: 'live', askedAt: undefined, doubted: false })
    expect(answered.actions.slice(-3)).toEqual(['ping', 'timer 5000', 'timer 10010'])
    const doubted = run([start, opened, timer(15_010), timer(20_010)])
    expect(doubted.state).toMatchObject({ phase: 'live', heardAt: 10, doubted: true })
    expect(doubted.actions.slice(-2)).toEqual(['timer 5000', 'timer 55000'])
    const late = run([start, opened, timer(15_010), timer(20_010), heard(65_010)])
    expect(late.state).toMatchObject({ phase: 'live', doubted: false })
    expect(late.actions.slice(-1)).toEqual(['timer 15000'])
    const gone = run([start, opened, timer(15_010), timer(20_010), timer(75_010)])
    expect(gone.state).toMatchObject({ phase: 'waiting', cause: { code: 1006, reason: 'nothing was heard for 75 s' } })
    expect(gone.actions.slice(-2)).toEqual(['drop', 'timer 375'])
  })

  test('the wait doubles while connecting fails, and asks whether the session still counts', () => {
    const { state, actions } = run([start, lost(1), [400, { type: 'timer' }], lost(401)])
    expect(state).toEqual({ phase: 'waiting', attempt: 2, until: 401 + 750, cause: { code: 1006, reason: '' } })
    expect(actions.filter((a) => a === 'probe')).toHaveLength(2)
  })

  test('a connection that breaks at once does not reset the wait', () => {
    const { state } = run([start, lost(1), [400, { type: 'timer' }], [401, { type: 'opened' }], lost(500)])
    expect(state).toMatchObject({ phase: 'waiting', attempt: 2 })
  })

  test.each([
    [1, 0, 250],
    [1, 1, 500],
    [4, 0.5, 3000],
    [7, 0, 15_000],
    [40, 1, 30_000],
  ])('wait %i with chance %d is %i ms', (attempt, chance, expected) => {
    expect(backoffMs(attempt, () => chance)).toBe(expected)
  })

  test('a hub that drains says when to come back', () => {
    const closing: ConnectionEvent = {
      type: 'closing',
      message: { type: 'closing', code: 1001, reason: 'draining', retryAfterMs: 2000 },
    }
    const { state } = run([start, opened, [60_000, closing], [60_001, { type: 'closed', code: 1006, reason: '' }]])
    expect(state).toMatchObject({ phase: 'waiting', until: 60_001 + 2375, cause: { code: 1001, reason: 'draining' } })
  })

  test('4401 ends it, by close code or by the message before', () => {
    const byCode = run([start, opened, [20, { type: 'closed', code: 4401, reason: 'token revoked' }]])
    expect(byCode.state).toEqual({ phase: 'ended', cause: { code: 4401, reason: 'token revoked' } })
    const closing: ConnectionEvent = {
      type: 'closing',
      message: { type: 'closing', code: 4401, reason: 'token revoked' },
    }
    expect(run([start, opened, [19, closing], lost(20)]).state.phase).toBe('ended')
  })

  test('a refused upgrade whose session is gone ends it', () => {
    const { state, actions } = run([start, lost(1), [2, { type: 'probed', allowed: false }]])
    expect(state.phase).toBe('ended')
    expect(actions.slice(-2)).toEqual(['cancel', 'drop'])
  })

  test('a refused upgrade whose session counts goes on waiting', () => {
    expect(run([start, lost(1), [2, { type: 'probed', allowed: true }]]).state.phase).toBe('waiting')
  })

  test('waking ends the wait, and drops a socket that was silent for long', () => {
    const wake = (at: number, awaited = false): [number, ConnectionEvent] => [at, { type: 'wake', awaited }]
    expect(run([start, lost(1), wake(100)]).state).toMatchObject({ phase: 'connecting', attempt: 0 })
    const asleep = run([start, opened, wake(60_000)])
    expect(asleep.actions.slice(-3)).toEqual(['drop', 'open', 'timer 10000'])
    const awake = run([start, opened, [59_000, { type: 'heard' }], wake(60_000)])
    expect(awake.state.phase).toBe('live')
    // A snapshot on a slow line is heard of when it is there: it does not begin anew each time somebody looks.
    expect(run([start, opened, wake(60_000, true)]).actions).not.toContain('drop')
    expect(run([start, opened, wake(90_000, true)]).actions).toContain('drop')
  })

  test('no answer to the upgrade within 10 s counts as a break', () => {
    const { state, actions } = run([start, [10_000, { type: 'timer' }]])
    expect(state).toMatchObject({ phase: 'waiting', attempt: 1 })
    expect(actions).toEqual(['open', 'timer 10000', 'drop', 'timer 375'])
  })

  test('a broken message drops the connection and the cursors', () => {
    const { state, actions } = run([start, opened, [20, { type: 'broken', reason: 'not JSON' }]])
    expect(state).toMatchObject({ phase: 'waiting', cause: { code: 1002, reason: 'not JSON' } })
    expect(actions.slice(-3)).toEqual(['drop', 'forget', 'timer 375'])
  })

  test('a broken message that was read after the connection went drops the cursors alone', () => {
    const { state, actions } = run([start, opened, lost(20), [30, { type: 'broken', reason: 'not JSON' }]])
    expect([state.phase, actions.at(-1)]).toEqual(['waiting', 'forget'])
  })

  test('callbacks that are behind drop the connection, and the cursors stay', () => {
    const { state, actions } = run([start, opened, [60_000, { type: 'overrun', reason: 'behind' }]])
    expect(state).toMatchObject({ phase: 'waiting', attempt: 1, cause: { code: 1000, reason: 'behind' } })
    expect(actions.slice(-2)).toEqual(['drop', 'timer 375'])
    expect(run([start, opened, lost(20), [30, { type: 'overrun', reason: 'behind' }]]).actions).not.toContain('forget')
  })

  test('stopped means stopped', () => {
    const { state, actions } = run([start, opened, [20, { type: 'stop' }], lost(21), [22, { type: 'timer' }]])
    expect(state).toEqual({ phase: 'idle' })
    expect(actions.slice(-2)).toEqual(['cancel', 'drop'])
  })
})
