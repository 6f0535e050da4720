// A network between page and hub that can be cut, slowed and reset.
//
// Why not toxiproxy (2.5.0, read in its source): its `timeout`, which stops all bytes, still closes one side when the other is closed.
// A hub gives up a viewer it does not hear after a minute, so the page would be told of a cable that was pulled, which no cable
// does, and what the page finds by itself would not be seen. Its `bandwidth` is one of each connection, not of the line they share. And
// it needs Go, a program beside the tests and more lines than these.
import type { AddressInfo } from 'node:net'
import { createServer, connect as open, type Server, type Socket } from 'node:net'
import { setTimeout as after } from 'node:timers/promises'

/** What is sent at once, so that a slow line is slow evenly. */
const PIECE_BYTES = 1_024

interface Slow {
  /** On the way in each direction. */
  latencyMs?: number
  /** In each direction, of all connections together. */
  bytesPerS?: number
}

export class Network {
  readonly #server: Server
  readonly #hub: URL
  readonly #sockets = new Set<Socket>()
  /** Resolved while bytes pass. */
  #passes: Promise<void> = Promise.resolve()
  #mended: () => void = () => undefined
  #slow: Slow = {}
  /** Until when the line is taken, towards the hub and from it. */
  readonly #takenUntil = { there: 0, back: 0 }

  private constructor(server: Server, hub: URL) {
    this.#server = server
    this.#hub = hub
  }

  static async before(hubUrl: string): Promise<Network> {
    const server = createServer({ allowHalfOpen: true })
    const network = new Network(server, new URL(hubUrl))
    server.on('connection', (near) => void network.#join(near))
    await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready))
    return network
  }

  /** For a browser: the hub's address leads here. The page keeps the hub's address, which the hub asks of it. */
  get rule(): string {
    return `--host-resolver-rules=MAP ${this.#hub.host} 127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  /** A cable is pulled: bytes vanish, new connections lead nowhere, and nobody is told, not of a side that closed either. */
  cut(): void {
    this.#passes = new Promise((mended) => {
      this.#mended = mended
    })
  }

  /** The cable is there again. What was under way comes now, as TCP sends it again. */
  mend(): void {
    this.#mended()
  }

  /** Every connection is ended hard, as by a router that forgot them. New ones pass. */
  reset(): void {
    for (const socket of this.#sockets) socket.resetAndDestroy()
  }

  /** From now on; nothing said is as fast as can be. */
  slow(slow: Slow): void {
    this.#slow = slow
  }

  end(): void {
    this.mend()
    for (const socket of this.#sockets) socket.destroy()
    this.#server.close()
  }

  async #join(near: Socket): Promise<void> {
    this.#keep(near)
    await this.#passes
    if (near.destroyed) return
    const far = open({ port: Number(this.#hub.port), host: this.#hub.hostname, allowHalfOpen: true })
    this.#keep(far)
    void this.#carry(near, far, 'there')
    void this.#carry(far, near, 'back')
  }

  #keep(socket: Socket): void {
    this.#sockets.add(socket)
    socket.setNoDelay(true)
    // An end that comes while nobody reads; who carries is told of it too.
    socket.on('error', () => undefined)
    socket.on('close', () => this.#sockets.delete(socket))
  }

  async #carry(from: Socket, to: Socket, way: 'there' | 'back'): Promise<void> {
    let before: Promise<unknown> = Promise.resolve()
    const send = (run: () => void) => {
      const { latencyMs = 0 } = this.#slow
      before = Promise.all([before, latencyMs === 0 ? undefined : after(latencyMs)])
        .then(() => this.#passes)
        .then(run)
    }
    try {
      for await (const bytes of from.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
        for (let at = 0; at < bytes.length; at += PIECE_BYTES) {
          const piece = bytes.subarray(at, at + PIECE_BYTES)
          await this.#turn(way, piece.length)
          send(() => void to.write(piece))
        }
        await this.#passes
      }
      send(() => to.end())
    } catch {
      send(() => to.resetAndDestroy())
    }
  }

  /** When so many bytes have gone over the line. */
  async #turn(way: 'there' | 'back', bytes: number): Promise<void> {
    const { bytesPerS } = this.#slow
    if (bytesPerS === undefined) return
    const now = performance.now()
    this.#takenUntil[way] = Math.max(now, this.#takenUntil[way]) + (1_000 * bytes) / bytesPerS
    await after(this.#takenUntil[way] - now)
  }
}
