// The state of the connection, always in sight.
import type { ConnectionState } from '@telltale/client'
import { second } from '../clock'
import { connection, liveWake, problem } from '../live'

export function ConnectionPill() {
  second.value
  return <Pill state={connection.value} now={performance.now()} />
}

export function Pill({ state, now }: { state: ConnectionState; now: number }) {
  const { tone, text, rest = '', detail } = describe(state, now)
  return (
    <div class={`pill tone-${tone}`} role="status" title={detail} data-phase={state.phase}>
      <i class="dot" />
      <span>
        {text}
        {rest !== '' && <span aria-hidden="true"> {rest}</span>}
      </span>
      {state.phase === 'waiting' && (
        <button type="button" onClick={liveWake}>
          now
        </button>
      )}
    </div>
  )
}

/** A line over the foot of the page while the picture is not live, with what the hub or the browser said. */
export function ConnectionNote() {
  // There before what it says, so that what it says is read out.
  return (
    <div aria-live="polite">
      <Note />
    </div>
  )
}

function Note() {
  const state = connection.value
  const cause = state.phase === 'waiting' || state.phase === 'connecting' ? state.cause : undefined
  if (cause !== undefined) {
    return <p class="toast">{reasonOf(cause)} The picture stays and goes on by itself.</p>
  }
  if (problem.value !== '') {
    return (
      <p class="toast">
        {problem.value}{' '}
        <button
          type="button"
          onClick={() => {
            problem.value = ''
          }}
        >
          Dismiss
        </button>
      </p>
    )
  }
  return null
}

/** `rest` counts down: it is seen, and not read out each second. */
export function describe(
  state: ConnectionState,
  now: number,
): { tone: string; text: string; rest?: string; detail: string } {
  switch (state.phase) {
    case 'idle':
      return { tone: 'wait', text: 'Not connected', detail: '' }
    case 'connecting':
      return {
        tone: 'wait',
        text: state.cause === undefined ? 'Connecting' : 'Reconnecting',
        detail: state.cause === undefined ? '' : reasonOf(state.cause),
      }
    case 'live':
      if (state.closing !== undefined) return { tone: 'wait', text: 'Closing', detail: reasonOf(state.closing) }
      if (state.doubted) return doubt(Math.max(0, Math.round((now - state.heardAt) / 1000)))
      return { tone: 'good', text: 'Live', detail: 'Connected: values appear as they are stored.' }
    case 'waiting': {
      const seconds = Math.max(0, Math.ceil((state.until - now) / 1000))
      return { tone: 'bad', text: 'Reconnecting', rest: `in ${seconds} s`, detail: reasonOf(state.cause) }
    }
    case 'ended':
      return { tone: 'bad', text: 'Logged out', detail: reasonOf(state.cause) }
  }
}

/** A pulled cable is told by nobody: the page finds that it hears nothing. */
function doubt(seconds: number) {
  const detail = `Nothing was heard of the hub for ${seconds} s. The picture stays and goes on by itself.`
  return { tone: 'wait', text: 'No answer', rest: `for ${seconds} s`, detail }
}

function reasonOf(cause: { code: number; reason: string }): string {
  const said = cause.reason === '' ? '' : ` (${cause.reason})`
  switch (cause.code) {
    case 1000:
    case 1001:
      return `The hub is going down or restarting${said}.`
    case 1006:
      return `The connection to the hub broke${said}.`
    case 1008:
      return `The hub closed the connection: a rule was broken${said}.`
    case 1011:
      return `The hub closed the connection after an error of its own${said}.`
    case 4401:
      return `The session or token ended${said}.`
    default:
      return `The connection was closed, code ${cause.code}${said}.`
  }
}
