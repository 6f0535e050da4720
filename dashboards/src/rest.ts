// How the page asks the hub by REST. Every failure is an `ApiError` with the hub's own words where it gave any.
import { decodeHubError, type HubError } from '@telltale/client'
import { learnHubTime } from './clock'
import { sentence } from './words'

const BASE = 'api/v1'

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

/** What is shown of a failure: the hub's message, and its hint. */
export function failureText(error: unknown, otherwise: string): string {
  if (!(error instanceof ApiError)) return otherwise
  const { hint } = error.hub
  return hint === undefined ? error.message : `${error.message} ${sentence(hint)}`
}

/** Whether nobody answered, or somebody who may answer otherwise soon: not a refusal. */
export function isAway(error: unknown): boolean {
  return error instanceof ApiError && (error.status === 0 || error.status >= 500)
}

export async function ask(method: string, path: string, body?: unknown, signal?: AbortSignal): Promise<unknown> {
  const askedAt = Date.now()
  let response: Response
  try {
    response = await fetch(`${BASE}/${path}`, {
      method,
      credentials: 'same-origin',
      ...(body === undefined ? {} : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
      ...(signal === undefined ? {} : { signal }),
    })
  } catch (error) {
    if (signal?.aborted && !isLate(signal)) throw error
    throw new ApiError(0, {
      code: 'unreachable',
      message: 'The hub does not answer.',
      hint: 'Is it running? The page goes on by itself when it is back.',
    })
  }
  learnHubTime(response.headers.get('date'), askedAt, Date.now())
  if (response.status === 204) return undefined
  const raw = await bodyOf(response, signal)
  if (!response.ok) throw new ApiError(response.status, refusal(response.status, raw))
  return raw
}

/** What broke off is no answer: without this a chart would show that there is nothing. */
async function bodyOf(response: Response, signal: AbortSignal | undefined): Promise<unknown> {
  try {
    const text = await response.text()
    return text === '' ? undefined : (JSON.parse(text) as unknown)
  } catch (error) {
    if (signal?.aborted && !isLate(signal)) throw error
    if (!response.ok) return undefined
    throw new ApiError(0, { code: 'broken_off', message: 'The answer of the hub broke off.' })
  }
}

/** Given up since it took too long, not since nobody wants it any more. */
function isLate({ reason }: AbortSignal): boolean {
  return reason instanceof DOMException && reason.name === 'TimeoutError'
}

function refusal(status: number, raw: unknown): HubError {
  try {
    return decodeHubError(map(raw).error)
  } catch {
    return { code: 'unknown', message: `The hub answered ${status} without saying why.` }
  }
}

export function map(raw: unknown): Record<string, unknown> {
  return typeof raw === 'object' && raw !== null ? (raw as Record<string, unknown>) : {}
}

export function list(raw: unknown): unknown[] {
  return Array.isArray(raw) ? raw : []
}

export function text(raw: unknown): string {
  return typeof raw === 'string' ? raw : ''
}

export function number(raw: unknown, otherwise = 0): number {
  return typeof raw === 'number' ? raw : otherwise
}
