// How the page asks the hub by REST. Every failure is an `ApiError` with the hub's own words where it gave any.
import { decodeHubError, type HubError } from '@telltale/client'
import type { paths } from './api-types'
import { learnHubTime } from './clock'
import { map, type Schemas, type Told, told } from './told'
import { sentence } from './words'

export class ApiError extends Error {
  override name = 'ApiError'
  readonly status: number
  readonly hub: HubError

  constructor(status: number, hub: HubError) {
    super(sentence(hub.message))
    this.status = status
    this.hub = hub
  }
}

/** What is shown of a failure: the hub's message, and its hint. What is no refusal is an answer that the page does not understand. */
export function failureText(error: unknown, otherwise: string): string {
  if (!(error instanceof ApiError)) return `${otherwise} The answer is not what this page expects: load the page anew.`
  const { hint } = error.hub
  return hint === undefined ? error.message : `${error.message} ${sentence(hint)}`
}

/** Whether nobody answered, or somebody who may answer otherwise soon: not a refusal. */
export function isAway(error: unknown): boolean {
  return error instanceof ApiError && (error.status === 0 || error.status >= 500)
}

/** Routes as the hub's document writes them. */
export type Path = Extract<keyof paths, `/api/v1/${string}`>
type Method = 'get' | 'post' | 'patch' | 'delete'
type Operation<P extends Path, M extends Method> = paths[P][M]
/** Those that the path takes. */
type MethodOf<P extends Path> = { [M in Method]: paths[P][M] extends undefined ? never : M }[Method]

type Json<R> = R extends { content: { 'application/json': infer B } } ? B : never
type Answer<O> = O extends { responses: infer R } ? Json<R[keyof R & (200 | 201)]> : never
type Body<O> = O extends { requestBody?: infer R } ? Json<R> : never
type Query<O> = O extends { parameters: { query?: infer Q } } ? NonNullable<Q> : never

export interface Question<O> {
  /** What stands for `{id}` in the path. */
  id?: string
  query?: Query<O>
  body?: Body<O>
  signal?: AbortSignal | undefined
}

/** Path, question and answer are those of the hub's document; the answer is checked where it is read (`told`). */
export async function ask<P extends Path, M extends MethodOf<P>>(
  method: M,
  path: P,
  question: Question<Operation<P, M>> = {},
): Promise<Told<Answer<Operation<P, M>>>> {
  const { id = '', query, body, signal } = question
  const search = query === undefined ? '' : `?${searchOf(query)}`
  const patience = patienceOf(signal)
  try {
    const answer = await answerOf(`${path.slice(1).replace('{id}', encodeURIComponent(id))}${search}`, {
      method: method.toUpperCase(),
      credentials: 'same-origin',
      ...(body === undefined ? {} : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
      signal: patience.signal,
    })
    return told(answer)
  } finally {
    patience.end()
  }
}

type Asked = RequestInit & { signal: AbortSignal }

async function answerOf(url: string, request: Asked): Promise<unknown> {
  const { signal } = request
  const askedAt = Date.now()
  let response: Response
  try {
    response = await fetch(url, request)
  } catch (error) {
    if (signal.aborted && !isLate(signal)) throw error
    throw new ApiError(0, {
      code: 'unreachable',
      message: 'The hub does not answer.',
      hint: `Is it running? ${isQuestion(request) ? GOES_ON : NOT_AGAIN}`,
    })
  }
  learnHubTime(response.headers.get('date'), askedAt, Date.now())
  if (response.status === 204) return undefined
  const raw = await bodyOf(response, request)
  if (!response.ok) throw new ApiError(response.status, refusal(response.status, raw))
  return raw
}

/**
 * The hub itself says within a minute why it has no answer. What takes longer was lost on the way, where a machine slept or a cable was
 * pulled: a browser would wait for it for a quarter of an hour, and whoever asked with it.
 */
const PATIENCE_MS = 90_000

/** A signal that is given when the other one is, or when patience is over. */
function patienceOf(signal: AbortSignal | undefined): { signal: AbortSignal; end(): void } {
  const given = new AbortController()
  const give = () => given.abort(signal?.reason)
  const timer = setTimeout(() => given.abort(new DOMException('no answer', 'TimeoutError')), PATIENCE_MS)
  if (signal?.aborted) give()
  else signal?.addEventListener('abort', give)
  return {
    signal: given.signal,
    end: () => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', give)
    },
  }
}

export const GOES_ON = 'The page goes on by itself when it is back.'
/** It may have been done, or not: what is not a question is not sent twice. */
const NOT_AGAIN = 'When it is back, look whether it was done, and do it again if not.'

function isQuestion({ method }: Asked): boolean {
  return method === 'GET'
}

/** As an address writes it: a list is the same name several times. */
export function searchOf(query: object): URLSearchParams {
  const search = new URLSearchParams()
  for (const [name, value] of Object.entries(query)) {
    for (const one of Array.isArray(value) ? value : [value]) if (one !== undefined) search.append(name, String(one))
  }
  return search
}

/** What broke off is no answer: without this a chart would show that there is nothing. */
async function bodyOf(response: Response, request: Asked): Promise<unknown> {
  const { signal } = request
  try {
    const text = await response.text()
    return text === '' ? undefined : (JSON.parse(text) as unknown)
  } catch (error) {
    if (signal.aborted && !isLate(signal)) throw error
    if (!response.ok) return undefined
    throw new ApiError(0, {
      code: 'broken_off',
      message: 'The answer of the hub broke off.',
      hint: isQuestion(request) ? 'It is asked again.' : NOT_AGAIN,
    })
  }
}

/** Given up since it took too long, not since nobody wants it any more. */
function isLate({ reason }: AbortSignal): boolean {
  return reason instanceof DOMException && reason.name === 'TimeoutError'
}

/** A hub gives its reasons: another has answered, or it is broken. */
const LOGS = 'Its log says more, or that of the proxy before it.'

function refusal(status: number, raw: unknown): HubError {
  try {
    return decodeHubError(map(told<Schemas['ErrorBody']>(raw)).error)
  } catch {
    return { code: 'unknown', message: `The hub answered ${status} without saying why.`, hint: LOGS }
  }
}
