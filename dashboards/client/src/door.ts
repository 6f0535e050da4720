// How a socket comes to be: the hub's address, and by what right one looks.
//
// Browsers cannot send an `Authorization` header with a WebSocket, so a token is changed for a ticket (`POST live/ticket`,
// good once within 30 s) before each connection; this works everywhere. Without token and ticket the browser's cookie counts.

import { TOKEN_ENDED } from './connection.js'
import { decodeHubError } from './protocol.js'
import { type Fetch, type FetchAnswer, type Socket, type SocketConstructor, world } from './surroundings.js'

export interface Credentials {
  /** A viewer's or admin's token. Keep it out of pages that others load. */
  token?: string | undefined
  /** Tickets that something else asks the hub for; a function is called for each connection, a text is good for one. */
  ticket?: string | (() => string | Promise<string>) | undefined
}

export interface DoorOptions extends Credentials {
  url: string
  protocol: string | undefined
  WebSocket?: SocketConstructor | undefined
  fetch?: Fetch | undefined
}

const NO_WEBSOCKET =
  'this program has no WebSocket: pass one as options.WebSocket, such as that of the package "ws" (Node before 22 has none of its own)'

export class Door {
  readonly #base: string
  readonly #options: DoorOptions
  readonly #WebSocket: SocketConstructor
  #usedTicket = false

  /** Throws a TypeError when the address is none or no WebSocket is there. */
  constructor(options: DoorOptions) {
    this.#base = baseOf(options.url)
    this.#options = options
    const implementation = options.WebSocket ?? world.WebSocket
    if (implementation === undefined) throw new TypeError(NO_WEBSOCKET)
    this.#WebSocket = implementation
  }

  open(): Socket {
    const { token, ticket } = this.#options
    if (token !== undefined) return new TicketSocket(() => this.#exchange(token), this.#connect)
    if (ticket === undefined) return this.#connect(undefined)
    if (typeof ticket === 'function') return new TicketSocket(async () => ticket(), this.#connect)
    return new TicketSocket(async () => {
      if (this.#usedTicket) throw new Refused('the ticket was good for one connection; pass a function to get more')
      this.#usedTicket = true
      return ticket
    }, this.#connect)
  }

  /** Why an upgrade failed is hidden by browsers; so ask whether the session counts. With tickets, getting one tells. */
  async allowed(): Promise<boolean> {
    if (this.#options.token !== undefined || this.#options.ticket !== undefined) return true
    try {
      return (await this.#fetch('GET', 'api/v1/session')).status !== 401
    } catch {
      return true
    }
  }

  readonly #connect = (ticket: string | undefined): Socket => {
    const query = ticket === undefined ? '' : `?ticket=${encodeURIComponent(ticket)}`
    const url = `${this.#base.replace(/^http/, 'ws')}api/v1/live${query}`
    const { protocol } = this.#options
    const socket = (protocol === undefined ? new this.#WebSocket(url) : new this.#WebSocket(url, [protocol])) as Socket
    socket.binaryType = 'arraybuffer'
    return socket
  }

  async #exchange(token: string): Promise<string> {
    const answer = await this.#fetch('POST', 'api/v1/live/ticket', { authorization: `Bearer ${token}` })
    if (answer.status === 401 || answer.status === 403) throw new Refused(await messageOf(answer))
    if (answer.status !== 200) throw new Error(`the hub answered ${answer.status} to POST api/v1/live/ticket`)
    const { ticket } = (await answer.json()) as { ticket?: unknown }
    if (typeof ticket !== 'string') throw new Error('the answer of POST api/v1/live/ticket holds no ticket')
    return ticket
  }

  #fetch(method: string, path: string, headers?: Record<string, string>): Promise<FetchAnswer> {
    const ask = this.#options.fetch ?? world.fetch
    if (ask === undefined) throw new TypeError('this program has no fetch: pass one as options.fetch')
    return ask(this.#base + path, headers === undefined ? { method } : { method, headers })
  }
}

/** The right to look is not there: to try again would not help. */
class Refused extends Error {}

/** A socket that opens when its ticket is there. Without one it closes as a socket would that the hub closed. */
class TicketSocket implements Socket {
  onopen: Socket['onopen'] = null
  onmessage: Socket['onmessage'] = null
  onclose: Socket['onclose'] = null
  onerror: Socket['onerror'] = null
  #socket: Socket | undefined
  #closed = false

  constructor(ticket: () => Promise<string>, connect: (ticket: string) => Socket) {
    ticket().then(
      (got) => {
        if (!this.#closed) this.#follow(connect(got))
      },
      (error: unknown) => {
        const reason = error instanceof Error ? causeOf(error) : String(error)
        this.onclose?.({ code: error instanceof Refused ? TOKEN_ENDED : 1006, reason })
      },
    )
  }

  send(data: string | Uint8Array): void {
    this.#socket?.send(data)
  }

  close(code?: number, reason?: string): void {
    this.#closed = true
    this.#socket?.close(code, reason)
  }

  #follow(socket: Socket): void {
    this.#socket = socket
    socket.onopen = (event) => this.onopen?.(event)
    socket.onmessage = (event) => this.onmessage?.(event)
    socket.onclose = (event) => this.onclose?.(event)
    socket.onerror = (event) => this.onerror?.(event)
  }
}

/** `fetch` of Node says "fetch failed" and keeps what failed beneath. */
function causeOf(error: Error): string {
  return error.cause instanceof Error ? `${error.message}: ${error.cause.message}` : error.message
}

async function messageOf(answer: FetchAnswer): Promise<string> {
  try {
    return decodeHubError(((await answer.json()) as { error?: unknown }).error).message
  } catch {
    return `the hub answered ${answer.status}`
  }
}

/** `http(s)://HOST/PATH/`, of an absolute address or, in a page, of one relative to it. */
function baseOf(address: string): string {
  const url = new world.URL(address, world.document?.baseURI ?? world.location?.href)
  url.protocol = url.protocol.replace(/^ws/, 'http')
  if (!/^https?:$/.test(url.protocol))
    throw new TypeError(`the hub's address is http, https, ws or wss, not ${address}`)
  url.search = ''
  url.hash = ''
  return url.href.endsWith('/') ? url.href : `${url.href}/`
}
