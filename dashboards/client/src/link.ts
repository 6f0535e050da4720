// The shell around the state machine: one socket, one timer, many members. Each message goes to the member it is for.
//
// Invariants: messages are handed over in order, one at a time; while a member is busy with one, the rest waits here, up to a
// bound in bytes. Past it the socket is let go of, and the hub keeps what follows: the next connection resumes by cursor.
// What still waits when a new connection opens is forgotten, since the new one is sent it again.

import type { Codec } from './codec.js'
import { type Action, type ConnectionEvent, type ConnectionState, step } from './connection.js'
import {
  type Cursor,
  ProtocolError,
  type SubscribeRequest,
  type SubscriptionMessage,
  subscribeMessage,
  type Time,
  unsubscribeMessage,
} from './protocol.js'
import type { Socket } from './surroundings.js'

export interface Surroundings {
  open(): Socket
  /** The caller's clock, in ms. */
  now(): number
  random(): number
  after(ms: number, run: () => void): () => void
  /** False when the hub says that this session no longer counts; true also when it cannot be reached. */
  allowed(): Promise<boolean>
}

/** One subscription, as the link sees it. */
export interface Member<T extends Time> {
  readonly id: string
  readonly request: SubscribeRequest
  readonly cursor: Cursor | undefined
  /** A new connection: what belonged to the old one is void. */
  begin(): void
  /** Gives up the cursor, so that the next snapshot comes whole. */
  forget(): void
  /** Takes one message; a promise holds up the next. */
  receive(message: SubscriptionMessage<T>): Promise<void> | undefined
}

export interface LinkListener {
  connection(state: ConnectionState): void
  /** An error of the hub that belongs to no subscription, or a broken message. */
  problem(message: string): void
}

/** What may wait for a busy member. */
export const QUEUE_BOUND_BYTES = 16 * 1024 * 1024

export class Link<T extends Time> {
  #state: ConnectionState = { phase: 'idle' }
  #socket: Socket | undefined
  #cancel: (() => void) | undefined
  #nextId = 1
  #busy = false
  #queue: unknown[] = []
  #queuedBytes = 0
  readonly #members = new Map<string, Member<T>>()
  /** Ids that were asked for on this connection and have no snapshot yet. */
  readonly #awaited = new Set<string>()
  readonly #codec: Codec<T>
  readonly #around: Surroundings
  readonly #listener: LinkListener
  readonly #queueBound: number

  constructor(codec: Codec<T>, around: Surroundings, listener: LinkListener, queueBound = QUEUE_BOUND_BYTES) {
    this.#codec = codec
    this.#around = around
    this.#listener = listener
    this.#queueBound = queueBound
  }

  get state(): ConnectionState {
    return this.#state
  }

  start(): void {
    this.#step({ type: 'start' })
  }

  /** Nothing is handed over any more, nor what waits. */
  stop(): void {
    this.#forgetQueue()
    this.#step({ type: 'stop' })
  }

  /** The machine woke or the network came back. */
  wake(): void {
    this.#step({ type: 'wake', awaited: this.#awaited.size > 0 })
  }

  /** An id that no member of this link has had. */
  nextId(): string {
    const id = `s${this.#nextId}`
    this.#nextId += 1
    return id
  }

  add(member: Member<T>): void {
    this.#members.set(member.id, member)
    if (this.#state.phase === 'live') this.#ask(member)
  }

  /** False when it was not here. */
  remove(id: string): boolean {
    this.#awaited.delete(id)
    if (!this.#members.delete(id)) return false
    if (this.#state.phase === 'live') this.#socket?.send(this.#codec.encode(unsubscribeMessage(id)))
    return true
  }

  /** Leaves without a word to the hub, which has ended it. */
  forget(id: string): void {
    this.#awaited.delete(id)
    this.#members.delete(id)
  }

  #ask(member: Member<T>): void {
    this.#awaited.add(member.id)
    this.#socket?.send(this.#codec.encode(subscribeMessage(member.id, member.request, member.cursor)))
  }

  #step(event: ConnectionEvent): void {
    const before = this.#state
    const { state, actions } = step(before, event, this.#around.now(), this.#around.random)
    this.#state = state
    for (const action of actions) this.#act(action)
    if (event.type === 'opened' && state.phase === 'live') this.#askAll()
    if (state !== before && (event.type !== 'heard' || isDoubted(before))) this.#listener.connection(state)
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
      case 'ping':
        this.#socket?.send(this.#codec.encode({ type: 'ping' }))
        break
      case 'probe':
        void this.#around.allowed().then((allowed) => this.#step({ type: 'probed', allowed }))
        break
      case 'forget':
        for (const member of this.#members.values()) member.forget()
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

  #askAll(): void {
    this.#forgetQueue()
    this.#awaited.clear()
    for (const member of this.#members.values()) {
      member.begin()
      this.#ask(member)
    }
  }

  #receive(data: unknown): void {
    this.#step({ type: 'heard' })
    if (!this.#busy) {
      this.#handle(data)
      return
    }
    this.#queue.push(data)
    this.#queuedBytes += sizeOf(data)
    if (this.#queuedBytes > this.#queueBound) {
      const reason = `callbacks are behind by more than ${this.#queueBound} bytes`
      this.#step({ type: 'overrun', reason })
    }
  }

  #forgetQueue(): void {
    this.#queue = []
    this.#queuedBytes = 0
  }

  #handle(data: unknown): void {
    const work = this.#deliver(data)
    if (work === undefined) return
    this.#busy = true
    void work.finally(() => {
      this.#busy = false
      while (!this.#busy && this.#queue.length > 0) {
        const next = this.#queue.shift()
        this.#queuedBytes -= sizeOf(next)
        this.#handle(next)
      }
    })
  }

  #deliver(data: unknown): Promise<void> | undefined {
    try {
      const message = this.#codec.decode(data)
      if (message === null) return undefined
      if (message.type === 'closing') {
        this.#step({ type: 'closing', message })
        return undefined
      }
      if (isAnswer(message) && message.id !== undefined) this.#awaited.delete(message.id)
      // One that left may still be told a message or two, or that it is not known any more.
      if (message.id !== undefined) return this.#members.get(message.id)?.receive(message)
      if (message.type === 'error') this.#listener.problem(message.error.message)
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error
      this.#listener.problem(error.message)
      this.#forgetQueue()
      this.#step({ type: 'broken', reason: error.message })
    }
    return undefined
  }
}

/** Of what is heard is told where there was a doubt. */
function isDoubted(state: ConnectionState): boolean {
  return state.phase === 'live' && state.doubted
}

/** A whole snapshot, or a refusal. */
function isAnswer(message: { type: string; more?: boolean }): boolean {
  return message.type === 'error' || (message.type === 'snapshot' && message.more !== true)
}

/** Text counts as many bytes as a browser keeps of it. */
function sizeOf(data: unknown): number {
  if (typeof data === 'string') return 2 * data.length
  return data instanceof ArrayBuffer || data instanceof Uint8Array ? data.byteLength : 0
}
