import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'

vi.stubGlobal('requestAnimationFrame', () => 0)
const { ApiError, ask, failureText, isAway } = await import('../src/rest')

/** What the hub does with what it is asked. */
let answer: (signal: AbortSignal) => Promise<Response>
beforeEach(() => {
  vi.useFakeTimers()
  vi.stubGlobal('fetch', (_: string, { signal }: { signal: AbortSignal }) => answer(signal))
})
afterEach(() => vi.useRealTimers())

/** Never, but that the browser gives up when it is told to. */
const never = (signal: AbortSignal) =>
  new Promise<Response>((_, failed) => signal.addEventListener('abort', () => failed(signal.reason)))

async function failureOf(asked: Promise<unknown>): Promise<unknown> {
  return asked.then(
    () => undefined,
    (error: unknown) => error,
  )
}

describe('what the page asks', () => {
  test('is given up when no answer came for longer than the hub ever takes', async () => {
    answer = never
    const failed = failureOf(ask('get', '/api/v1/status'))
    await vi.advanceTimersByTimeAsync(89_000)
    expect(await Promise.race([failed, 'still asked'])).toBe('still asked')
    await vi.advanceTimersByTimeAsync(1_000)
    const error = await failed
    expect([isAway(error), failureText(error, '')]).toEqual([
      true,
      'The hub does not answer. Is it running? The page goes on by itself when it is back.',
    ])
  })

  test('is given up too when an answer began and does not go on', async () => {
    answer = async (signal) =>
      new Response(
        new ReadableStream({
          start: (body) => {
            body.enqueue(new TextEncoder().encode('{"devices":['))
            signal.addEventListener('abort', () => body.error(signal.reason))
          },
        }),
      )
    const failed = failureOf(ask('get', '/api/v1/devices'))
    await vi.advanceTimersByTimeAsync(90_000)
    expect(failureText(await failed, '')).toBe('The answer of the hub broke off. It is asked again.')
  })

  test('leaves neither a timer nor a listener behind', async () => {
    answer = async () => Response.json({})
    const stop = new AbortController()
    const add = vi.spyOn(stop.signal, 'addEventListener')
    const remove = vi.spyOn(stop.signal, 'removeEventListener')
    for (let i = 0; i < 100; i += 1) await ask('get', '/api/v1/status', { signal: stop.signal })
    expect([vi.getTimerCount(), add.mock.calls.length, remove.mock.calls.length]).toEqual([0, 100, 100])
  })

  test('that nobody wants any more is no failure of the hub', async () => {
    answer = never
    const stop = new AbortController()
    const failed = failureOf(ask('get', '/api/v1/status', { signal: stop.signal }))
    stop.abort()
    const error = await failed
    expect([error instanceof ApiError, (error as DOMException).name]).toEqual([false, 'AbortError'])
  })

  test('a change that was not answered may have been made: the page does not say that it is made again', async () => {
    answer = async () => {
      throw new TypeError('refused')
    }
    const error = await failureOf(ask('patch', '/api/v1/devices/{id}', { id: 'pump', body: {} }))
    expect(failureText(error, '')).toBe(
      'The hub does not answer. Is it running? When it is back, look whether it was done, and do it again if not.',
    )
  })

  test('an answer that is none of a hub says where more is known', async () => {
    answer = async () => new Response('<h1>Bad gateway</h1>', { status: 502 })
    const error = await failureOf(ask('get', '/api/v1/status'))
    expect(failureText(error, '')).toBe(
      'The hub answered 502 without saying why. Its log says more, or that of the proxy before it.',
    )
    expect(failureText(new TypeError('points is not iterable'), 'History could not be read.')).toBe(
      'History could not be read. The answer is not what this page expects: load the page anew.',
    )
  })
})
