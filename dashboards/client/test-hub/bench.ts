// What the tests share: a hub, its tokens, readings as line protocol (which says nanoseconds and 64-bit integers exactly), and
// what history says of them.
import { createRequire } from 'node:module'
import type { SocketConstructor } from '@telltale/client'
import { expect } from 'vitest'
import { Hub } from '../../../tests/browser/hub'

export const WebSocket: SocketConstructor = createRequire(import.meta.url)('ws')

/** The lines of one device: `metric=value` at a time. */
export type Row = [metric: string, value: string, time: bigint]

export class Bench {
  readonly hub: Hub
  readonly viewer: string
  readonly #agent: string

  private constructor(hub: Hub, viewer: string, agent: string) {
    this.hub = hub
    this.viewer = viewer
    this.#agent = agent
  }

  static async start(): Promise<Bench> {
    const hub = await Hub.start()
    return new Bench(hub, await hub.token('viewer', 'watcher'), await hub.token('agent', 'sender'))
  }

  get url(): string {
    return this.hub.url
  }

  /** Resolves when the hub has them on disk. The metric is `m.METRIC`. */
  async write(device: string, ...rows: Row[]): Promise<void> {
    const body = rows.map(([metric, value, time]) => `m,device=${device} ${metric}=${value} ${time}`).join('\n')
    const headers = { authorization: `Token ${this.#agent}` }
    const answer = await fetch(`${this.url}/api/v2/write`, { method: 'POST', headers, body })
    expect([answer.status, await answer.text()]).toEqual([204, ''])
  }

  /** As far as history tells: metric -> `TIME=VALUE` with all digits, in time order. */
  async history(device: string): Promise<Record<string, string[]>> {
    const query = new URLSearchParams({ select: `${device}/*`, from: '2000-01-01T00:00:00Z', time: 'ns' })
    const answer = await fetch(`${this.url}/api/v1/history?${query}`, {
      headers: { authorization: `Bearer ${this.viewer}` },
    })
    expect(answer.status).toBe(200)
    // Numbers become text before JSON.parse could round them.
    const text = (await answer.text()).replace(/(?<=[[,:])-?\d[\d.eE+-]*(?=[\],}])/g, '"$&"')
    const { series } = JSON.parse(text) as { series: { metric: string; points: [string, unknown][] }[] }
    return Object.fromEntries(
      series
        .filter((s) => s.points.length > 0)
        .map((s) => [s.metric, s.points.map(([time, value]) => `${time}=${plain(value)}`)]),
    )
  }
}

/** A float as JavaScript writes it; an integer as it came, with all its digits. */
const plain = (value: unknown) =>
  typeof value === 'string' && /^-?\d+[.eE]/.test(value) ? String(Number(value)) : value

/** Nanoseconds of now. Whole milliseconds, so that both forms of times say the same. */
export const nowNs = (): bigint => BigInt(Date.now()) * 1_000_000n
