// The shell around the pure parts: one socket, one timer, many subscriptions. All that happens is told to one listener.

import { type Action, type ConnectionEvent, type ConnectionState, step } from './connection'
import { decodeMessage, encodeSubscribe, encodeUnsubscribe, ProtocolError, type SubscribeRequest } from './protocol'
import { apply, beginConnection, type Effects, forgetCursor, newSubscription, type Subscription } from './subscription'

/** The part of a WebSocket that is used, so that tests and Node hand in their own. */
export interface Socket {
  onopen: ((event: never) => void) | null
  onmessage: ((event: { data: unknown }) => void) | null
  onclose: ((event: { code: number; reason: string }) => void) | null
  onerror: ((event: never) => void) | null
  send(text: string): void
  close(code?: number, reason?: string): void
}

export interface Surroundings {
  open(): Socket
  /** The caller's clock, in ms. */
  now(): number
  /** The hub's time in ms, as well as the caller knows it. */
  hubNow(): number
  random(): number
  after(ms: number, run: () => void): () => void
  /** False when the hub says that this session no longer counts; true also when it cannot be reached. */
  allowed(): Promise<boolean>
}

export interface Listener {
  connection(state: ConnectionState): void
  applied(subscription: Subscription, effects: Effects): void
  /** An error of the hub that belongs to no subscription, or a broken message. */
  problem(message: string): void
}

export class LiveClient {
  #state: ConnectionState = { phase: 'idle' }
  #socket: Socket | undefined
  #cancel: (() => void) | undefined
  #nextId = 1
  readonly #subscriptions = new Map<string, Subscription>()
  readonly #around: Surroundings
  readonly #listener: Listener

  constructor(around: Surroundings, listener: Listener) {
    this.#around = around
    this.#listener = listener
  }

  get state(): ConnectionState {
    return this.#state
  }

  start(): void {
    this.#step({ type: 'start' })
  }

  stop(): void {
    this.#step({ type: 'stop' })
  }

  /** The machine woke or the network came back. */
  wake(): void {
    this.#step({ type: 'wake' })
  }

  subscribe(request: SubscribeRequest, ringBound?: number): Subscription {
    const sub = newSubscription(`s${this.#nextId}`, request, ringBound)
    this.#nextId += 1
    this.#subscriptions.set(sub.id, sub)
    if (this.#state.phase === 'live') this.#socket?.send(encodeSubscribe(sub.id, request))
    return sub
  }

  unsubscribe(sub: Subscription): void {
    if (!this.#subscriptions.delete(sub.id)) return
    if (this.#state.phase === 'live') this.#socket?.send(encodeUnsubscribe(sub.id))
  }

  #step(event: ConnectionEvent): void {
    const before = this.#state
    const { state, actions } = step(before, event, this.#around.now(), this.#around.random)
    this.#state = state
    for (const action of actions) this.#act(action)
    if (event.type === 'opened' && state.phase === 'live') this.#subscribeAll()
    if (state !== before && event.type !== 'heard') this.#listener.connection(state)
  }

  #act(action: Action): void {
    switch (action.type) {
      case 'open':
        this.#open()
        break
      case 'drop':
        this.#drop()
        break
      case 'timer':
        this.#cancel?.()
        this.#cancel = this.#around.after(action.afterMs, () => this.#step({ type: 'timer' }))
        break
      case 'cancel':
        this.#cancel?.()
        this.#cancel = undefined
        break
      case 'probe':
        void this.#around.allowed().then((allowed) => this.#step({ type: 'probed', allowed }))
        break
      case 'forget':
        for (const sub of this.#subscriptions.values()) forgetCursor(sub)
        break
    }
  }

  #open(): void {
    const socket = this.#around.open()
    this.#socket = socket
    // A socket that was dropped may still speak; only the current one is listened to.
    const current = (run: () => void) => {
      if (this.#socket === socket) run()
    }
    socket.onopen = () => current(() => this.#step({ type: 'opened' }))
    socket.onmessage = (event) => current(() => this.#receive(event.data))
    socket.onclose = (event) =>
      current(() => {
        this.#socket = undefined
        this.#step({ type: 'closed', code: event.code, reason: event.reason })
      })
    // A close event always follows, and says more.
    socket.onerror = () => undefined
  }

  #drop(): void {
    const socket = this.#socket
    this.#socket = undefined
    socket?.close(1000)
  }

  #subscribeAll(): void {
    for (const sub of this.#subscriptions.values()) {
      beginConnection(sub)
      this.#socket?.send(encodeSubscribe(sub.id, sub.request, sub.cursor))
    }
  }

  #receive(data: unknown): void {
    this.#step({ type: 'heard' })
    try {
      if (typeof data !== 'string') throw new ProtocolError('a binary frame came on a JSON connection')
      const message = decodeMessage(data)
      if (message === null) return
      if (message.type === 'closing') {
        this.#step({ type: 'closing', message })
        return
      }
      const sub = message.id === undefined ? undefined : this.#subscriptions.get(message.id)
      if (sub !== undefined) this.#listener.applied(sub, apply(sub, message, this.#around.hubNow()))
      else if (message.type === 'error') this.#listener.problem(message.error.message)
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error
      this.#listener.problem(error.message)
      this.#step({ type: 'broken', reason: error.message })
    }
  }
}
