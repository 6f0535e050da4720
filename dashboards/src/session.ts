// Who looks: logged out, logging in, or in. The page never sees the cookie; it only asks the hub whether it counts.
import { signal } from '@preact/signals'
import { fetchSession, login, logout, type Session } from './api'
import { liveStart, liveStop } from './live'
import { ApiError } from './rest'
import { sentence } from './words'

export type SessionState =
  | { phase: 'asking' }
  | { phase: 'out'; notice?: Notice }
  | { phase: 'in'; session: Session }
  /** The hub could not be asked; the page asks again by itself. */
  | { phase: 'away'; notice: Notice }

export interface Notice {
  message: string
  hint?: string
}

export const session = signal<SessionState>({ phase: 'asking' })

const ASK_AGAIN_MS = 2_000

export async function openSession(): Promise<void> {
  const code = takeLoginCode()
  if (code !== undefined) {
    await logIn({ code })
    return
  }
  try {
    enter(await fetchSession())
  } catch (error) {
    if (error instanceof ApiError && error.status === 401) session.value = { phase: 'out' }
    else {
      session.value = { phase: 'away', notice: noticeOf(error) }
      setTimeout(() => void openSession(), ASK_AGAIN_MS)
    }
  }
}

export async function logIn(body: { code: string } | { token: string }): Promise<void> {
  try {
    await login(body)
    enter(await fetchSession())
  } catch (error) {
    session.value = { phase: 'out', notice: noticeOf(error) }
  }
}

export async function logOut(): Promise<void> {
  liveStop()
  try {
    await logout()
    session.value = { phase: 'out' }
  } catch (error) {
    session.value = { phase: 'out', notice: noticeOf(error) }
  }
}

/** The hub ended the token or the session. */
export function sessionEnded(reason: string): void {
  const why = reason === '' ? 'The hub ended this session.' : `The hub ended this session: ${reason}.`
  session.value = { phase: 'out', notice: { message: why, hint: 'Log in again to go on.' } }
}

/** The code leaves the address bar before anything else, so that it is in no history and no screenshot. */
export function takeLoginCode(): string | undefined {
  const match = /^#login=(.+)$/.exec(location.hash)
  if (match?.[1] === undefined) return undefined
  history.replaceState(null, '', `${location.pathname}${location.search}#/`)
  return decodeURIComponent(match[1])
}

window.addEventListener('hashchange', () => {
  const code = takeLoginCode()
  if (code !== undefined) void logIn({ code })
})

function enter(who: Session): void {
  session.value = { phase: 'in', session: who }
  liveStart(sessionEnded)
}

function noticeOf(error: unknown): Notice {
  if (error instanceof ApiError) {
    const { hint } = error.hub
    return { message: error.message, ...(hint === undefined ? {} : { hint: sentence(hint) }) }
  }
  return { message: 'The answer of the hub could not be read.' }
}
