// Who looks: logged out, logging in, or in. The page never sees the cookie; it only asks the hub whether it counts.
import { signal } from '@preact/signals'
import { fetchSession, login, logout, type Session } from './api'
import { afterShown } from './hidden'
import { liveStart, liveStop, problem } from './live'
import { ApiError, GOES_ON, isAway } from './rest'
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
  if (code === undefined) await resume(false)
  else await openByLink(code)
}

/** Of one who just logged in it is told why the session does not count: a visitor without one is asked to log in, no more. */
async function resume(isNew: boolean): Promise<void> {
  try {
    enter(await fetchSession())
  } catch (error) {
    if (!(error instanceof ApiError && error.status === 401)) later(error, () => resume(isNew))
    else session.value = isNew ? { phase: 'out', notice: noticeOf(error) } : { phase: 'out' }
  }
}

/** The code is in this page alone: while the hub is away it is kept, and tried when the hub is back. */
async function openByLink(code: string): Promise<void> {
  try {
    await login({ code })
  } catch (error) {
    if (isAway(error)) later(error, () => openByLink(code))
    else await stay(noticeOf(error))
    return
  }
  // Whoever was logged in before saw other things: nothing of that stays.
  if (session.peek().phase === 'in') location.reload()
  else await resume(true)
}

/** The link was refused, but a session that was there before it still counts: a page that looked logged out would lie. */
async function stay(notice: Notice): Promise<void> {
  try {
    if (session.peek().phase !== 'in') enter(await fetchSession())
    problem.value = `The login link was not taken. ${notice.message} You are logged in as before.`
  } catch {
    session.value = { phase: 'out', notice }
  }
}

function later(error: unknown, run: () => Promise<void>): void {
  session.value = { phase: 'away', notice: { ...noticeOf(error), hint: GOES_ON } }
  afterShown(ASK_AGAIN_MS, () => void run())
}

export async function logIn(body: { code: string } | { token: string }): Promise<void> {
  try {
    await login(body)
    enter(await fetchSession())
  } catch (error) {
    session.value = { phase: 'out', notice: noticeOf(error) }
  }
}

/** Out only when the hub says so: a page that looked logged out, and was in again when it is opened, would lie. */
export async function logOut(): Promise<void> {
  try {
    await logout()
  } catch (error) {
    if (!(error instanceof ApiError && error.status === 401)) {
      problem.value = `You are still logged in. ${noticeOf(error).message}`
      return
    }
  }
  liveStop()
  session.value = { phase: 'out' }
}

/** The hub ended the token or the session. */
export function sessionEnded(reason: string): void {
  const why = reason === '' ? 'The hub ended this session.' : `The hub ended this session: ${reason}.`
  session.value = { phase: 'out', notice: { message: why, hint: 'Log in again to go on.' } }
}

/** The code leaves the address bar before anything else, so that it is in no history and no screenshot. */
export function takeLoginCode(): string | undefined {
  if (!location.hash.startsWith('#login=')) return undefined
  const code = codeOf(location.hash)
  if (code !== undefined) history.replaceState(null, '', `${location.pathname}${location.search}#/`)
  return code
}

/** The code of a login link; as it stands where it is none of ours: the hub refuses it with words. */
export function codeOf(link: string): string | undefined {
  const text = /#login=(.+)$/.exec(link)?.[1]
  if (text === undefined) return undefined
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

window.addEventListener('hashchange', () => {
  const code = takeLoginCode()
  if (code !== undefined) void openByLink(code)
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
