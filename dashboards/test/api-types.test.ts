// The types of the REST interface are those of the hub's document (a Rust test compares the document with the hub), and what a
// hub of another version answers breaks nothing.
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { fetchDevice, fetchDevices, fetchLast, historyParams } from '../src/api'
import { fetchSizes } from '../src/hub/sizes'
import { decodeStatus } from '../src/hub/status'
import { createToken } from '../src/hub/tokens'
import { ApiError } from '../src/rest'
import { told } from '../src/told'

vi.hoisted(() => {
  globalThis.requestAnimationFrame = () => 0
})

test('the types are made of the document', async () => {
  const made = promisify(execFile)(process.execPath, ['dev/api-types/make.mjs', '--check'])
  await expect(made).resolves.toMatchObject({ stderr: '' })
}, 60_000)

describe('answers', () => {
  afterEach(() => vi.unstubAllGlobals())
  const asked: [string, RequestInit][] = []
  const answered = (body: unknown, status = 200) => {
    asked.length = 0
    vi.stubGlobal('fetch', async (url: string, init: RequestInit) => {
      asked.push([url, init])
      return Response.json(body, { status })
    })
  }

  test('of another hub, without what this page knows or with other types, are empty and no error', async () => {
    expect(decodeStatus(told({}))).toMatchObject({
      version: '',
      ready: false,
      series: 0,
      gateways: [],
      missing: [],
      influx: undefined,
    })
    const odd = { version: 7, ready: 'yes', reasons: {}, counters: [1], store: null, gateways: [null, { seen: 'now' }] }
    expect(decodeStatus(told(odd))).toMatchObject({
      version: '',
      ready: false,
      reasons: [],
      storePoints: 0,
      gateways: [
        { via: '', seen: undefined },
        { via: '', seen: undefined },
      ],
    })
    answered({ files: null, top: [{ name: null, bytes: 5 }] })
    expect(await fetchSizes()).toMatchObject({ bytes: 0, files: [], top: [{ name: '', bytes: 5, readings: 0 }] })
    answered(null)
    expect(await fetchDevices(10)).toEqual({ devices: [] })
  })

  test('with more than this page knows are taken', async () => {
    const row = { device: 'a', metric: 'm', labels: { x: '1' }, unit: null, kind: 'dial', time: 5, value: 1, seen: 6 }
    answered({ series: [{ ...row, colour: 'red' }], more: true })
    expect(await fetchLast(['a/*', 'b/*'])).toEqual([
      { device: 'a', metric: 'm', labels: { x: '1' }, unit: '', kind: 'gauge', time: 5, value: 1, seen: 6, changed: 5 },
    ])
    expect(asked[0]?.[0]).toBe('api/v1/last?select=a%2F*&select=b%2F*')
  })

  test('refusals keep the words of the hub, or say that there were none', async () => {
    answered({ error: { code: 'not_found', message: 'there is no device a/b', hint: 'look' } }, 404)
    const refused = await fetchDevice('a/b').catch((error: unknown) => error)
    expect(asked[0]?.[0]).toBe('api/v1/devices/a%2Fb')
    expect(refused).toBeInstanceOf(ApiError)
    expect(refused).toMatchObject({ status: 404, message: 'There is no device a/b.', hub: { hint: 'look' } })
    answered('what?', 500)
    await expect(fetchDevice('a')).rejects.toThrow('The hub answered 500 without saying why.')
  })

  test('what is empty in the form of a token is not sent', async () => {
    answered({ id: 1, token: 'secret' }, 201)
    expect(await createToken({ role: 'viewer', name: '', devices: 'roof-*', select: '' })).toBe('secret')
    expect(asked[0]?.[1]).toMatchObject({ method: 'POST', body: '{"role":"viewer","devices":"roof-*"}' })
  })

  test.each([
    [{ points: 300 }, 'points=300'],
    [{ buckets: { every: '1d', agg: 'mean', tz: 'Europe/Berlin' } }, 'agg=mean&every=1d&tz=Europe%2FBerlin'],
    [{ buckets: { agg: 'min,max', tz: 'UTC' } }, 'agg=min%2Cmax'],
  ])('a question about the past with %j', (more, text) => {
    const query = historyParams({ select: ['a/*', 'b/*'], from: 1.5, to: 9.5, ...more })
    expect(`${query}`).toBe(`select=a%2F*&select=b%2F*&from=1ms&to=10ms&${text}`)
  })
})
