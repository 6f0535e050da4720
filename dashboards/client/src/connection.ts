// When to connect, to wait and to give up: a pure state machine. `step(state, event, now, random)` gives the next state and
// what the shell has to do. The shell owns one socket and one timer; the machine never sees either.

import type { Closing } from './protocol.js'

export type ConnectionState =
  | { phase: 'idle' }
  | { phase: 'connecting'; attempt: number; since: number; cause: Cause | undefined }
  /**
   * `askedAt`: when the hub was asked whether it is there, since nothing had been heard of it; until it is heard. `doubted`: an answer
   * should have come since, and what is shown may be over.
   */
  | {
      phase: 'live'
      attempt: number
      since: number
      heardAt: number
      askedAt: number | undefined
      doubted: boolean
      closing: Closing | undefined
    }
  | { phase: 'waiting'; attempt: number; until: number; cause: Cause }
  /** The right to look ended (token revoked, session over): only a new login helps. */
  | { phase: 'ended'; cause: Cause }

/** Why the last connection went, as far as the hub or the browser said. */
export interface Cause {
  code: number
  reason: string
}

export type ConnectionEvent =
  | { type: 'start' }
  | { type: 'stop' }
  | { type: 'opened' }
  | { type: 'heard' }
  | { type: 'closing'; message: Closing }
  | { type: 'closed'; code: number; reason: string }
  | { type: 'timer' }
  /** The machine woke, the network came back, or the user asked: do not wait any longer. `awaited`: a snapshot is on its way. */
  | { type: 'wake'; awaited: boolean }
  /** The answer to `probe`: may we still look at all? */
  | { type: 'probed'; allowed: boolean }
  /** The hub broke the protocol: what is held cannot be trusted, begin anew. */
  | { type: 'broken'; reason: string }
  /** More came than the callbacks keep up with: go on from the cursors later. */
  | { type: 'overrun'; reason: string }

export type Action =
  | { type: 'open' }
  | { type: 'drop' }
  | { type: 'timer'; afterMs: number }
  | { type: 'cancel' }
  /** Ask the hub for a sign of life: a browser does not say when a cable was pulled. */
  | { type: 'ping' }
  /** A browser hides why an upgrade failed; ask over REST whether the session still counts. */
  | { type: 'probe' }
  | { type: 'forget' }

export const TOKEN_ENDED = 4401
const CONNECT_TIMEOUT_MS = 10_000
/** Nothing heard for this long: the hub is asked whether it is there. */
export const QUIET_MS = 15_000
/** So long it has to answer, as long as the hub waits for a viewer: the answer comes behind what is on its way, and 256 KiB take
 * half a minute on a slow line. */
export const ANSWER_MS = 60_000
/** But after this it is said that none came. */
export const DOUBT_MS = 5_000
const FIRST_WAIT_MS = 500
const LONGEST_WAIT_MS = 30_000
/** A connection that held this long was a good one: the next break begins with a short wait again. */
const STEADY_MS = 5_000
/** After waking, a socket that was silent for longer than this is taken for dead; resuming by cursor costs little. */
const SILENT_AT_WAKE_MS = 20_000
/** But a snapshot on a slow line is heard of only when it is there, and would begin anew on another socket: as long as when awake. */
const AWAITED_AT_WAKE_MS = QUIET_MS + ANSWER_MS

export interface Step {
  state: ConnectionState
  actions: Action[]
}

export function step(state: ConnectionState, event: ConnectionEvent, now: number, random: () => number): Step {
  switch (event.type) {
    case 'start':
      return state.phase === 'idle' || state.phase === 'ended' ? connect(0, undefined, now) : stay(state)
    case 'stop':
      return { state: { phase: 'idle' }, actions: [{ type: 'cancel' }, { type: 'drop' }] }
    case 'opened':
      if (state.phase !== 'connecting') return stay(state)
      return {
        state: {
          phase: 'live',
          attempt: state.attempt,
          since: now,
          heardAt: now,
          askedAt: undefined,
          doubted: false,
          closing: undefined,
        },
        actions: [{ type: 'cancel' }, { type: 'timer', afterMs: QUIET_MS }],
      }
    case 'heard':
      return state.phase === 'live' ? heard(state, now) : stay(state)
    case 'closing':
      return state.phase === 'live' ? stay({ ...state, closing: event.message }) : stay(state)
    case 'closed':
      return closed(state, event, now, random)
    case 'timer':
      if (state.phase === 'waiting') return connect(state.attempt, state.cause, now)
      if (state.phase === 'connecting') {
        const late = { code: 1006, reason: `no answer within ${CONNECT_TIMEOUT_MS / 1000} s` }
        return after(wait(state.attempt + 1, late, 0, now, random), { type: 'drop' })
      }
      return state.phase === 'live' ? quiet(state, now, random) : stay(state)
    case 'wake':
      if (state.phase === 'waiting') return after(connect(0, state.cause, now), { type: 'cancel' })
      if (state.phase === 'live' && now - state.heardAt > (event.awaited ? AWAITED_AT_WAKE_MS : SILENT_AT_WAKE_MS)) {
        return after(connect(0, undefined, now), { type: 'drop' })
      }
      return stay(state)
    case 'probed':
      if (event.allowed || (state.phase !== 'waiting' && state.phase !== 'connecting')) return stay(state)
      return {
        state: { phase: 'ended', cause: { code: TOKEN_ENDED, reason: 'not logged in' } },
        actions: [{ type: 'cancel' }, { type: 'drop' }],
      }
    case 'broken': {
      // It may have waited for a callback until after the connection went.
      if (state.phase !== 'live') return { state, actions: [{ type: 'forget' }] }
      const next = wait(nextAttempt(state, now), { code: 1002, reason: event.reason }, 0, now, random)
      return { state: next.state, actions: [{ type: 'drop' }, { type: 'forget' }, ...next.actions] }
    }
    case 'overrun':
      if (state.phase !== 'live') return stay(state)
      return after(wait(nextAttempt(state, now), { code: 1000, reason: event.reason }, 0, now, random), {
        type: 'drop',
      })
  }
}

type Live = Extract<ConnectionState, { phase: 'live' }>

function heard(state: Live, now: number): Step {
  const next = { ...state, heardAt: now, askedAt: undefined, doubted: false }
  return state.doubted ? { state: next, actions: [{ type: 'timer', afterMs: QUIET_MS }] } : stay(next)
}

/** The timer of a connection that stands: is anything heard? */
function quiet(state: Live, now: number, random: () => number): Step {
  const silence = now - state.heardAt
  if (state.askedAt !== undefined) {
    const left = state.askedAt + ANSWER_MS - now
    if (left > 0) return { state: { ...state, doubted: true }, actions: [{ type: 'timer', afterMs: left }] }
    const gone = { code: 1006, reason: `nothing was heard for ${Math.round(silence / 1000)} s` }
    return after(wait(nextAttempt(state, now), gone, 0, now, random), { type: 'drop' })
  }
  if (silence < QUIET_MS) return { state, actions: [{ type: 'timer', afterMs: QUIET_MS - silence }] }
  return { state: { ...state, askedAt: now }, actions: [{ type: 'ping' }, { type: 'timer', afterMs: DOUBT_MS }] }
}

/** The wait before try `attempt` (1 is the first after a break): doubling, capped, the upper half of it random. */
export function backoffMs(attempt: number, random: () => number): number {
  const whole = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** Math.max(0, attempt - 1))
  return Math.round(whole / 2 + (whole / 2) * random())
}

function closed(
  state: ConnectionState,
  event: { code: number; reason: string },
  now: number,
  random: () => number,
): Step {
  if (state.phase !== 'connecting' && state.phase !== 'live') return stay(state)
  const told = state.phase === 'live' ? state.closing : undefined
  const cause = { code: told?.code ?? event.code, reason: told?.reason || event.reason }
  if (cause.code === TOKEN_ENDED) return { state: { phase: 'ended', cause }, actions: [{ type: 'cancel' }] }
  if (state.phase === 'connecting') {
    return after(wait(state.attempt + 1, cause, 0, now, random), { type: 'cancel' }, { type: 'probe' })
  }
  return wait(nextAttempt(state, now), cause, told?.retryAfterMs ?? 0, now, random)
}

function nextAttempt(state: { attempt: number; since: number }, now: number): number {
  return now - state.since >= STEADY_MS ? 1 : state.attempt + 1
}

function connect(attempt: number, cause: Cause | undefined, now: number): Step {
  return {
    state: { phase: 'connecting', attempt, since: now, cause },
    actions: [{ type: 'open' }, { type: 'timer', afterMs: CONNECT_TIMEOUT_MS }],
  }
}

function wait(attempt: number, cause: Cause, atLeastMs: number, now: number, random: () => number): Step {
  const afterMs = atLeastMs + backoffMs(attempt, random)
  return { state: { phase: 'waiting', attempt, until: now + afterMs, cause }, actions: [{ type: 'timer', afterMs }] }
}

function after(next: Step, ...first: Action[]): Step {
  return { state: next.state, actions: [...first, ...next.actions] }
}

function stay(state: ConnectionState): Step {
  return { state, actions: [] }
}
