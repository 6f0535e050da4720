// A client that keeps what it is sent in rings, for programs that draw. All that happens is told to one listener.

import { JSON_CODEC } from './codec.js'
import type { ConnectionState } from './connection.js'
import { Link, type LinkListener, type Member, type Surroundings } from './link.js'
import type { Cursor, SubscribeRequest, SubscriptionMessage } from './protocol.js'
import {
  apply,
  beginConnection,
  type Effects,
  forgetCursor,
  newSubscription,
  type Subscription,
} from './subscription.js'

export interface LiveSurroundings extends Surroundings {
  /** The hub's time in ms, as well as the caller knows it. */
  hubNow(): number
}

export interface Listener extends LinkListener {
  applied(subscription: Subscription, effects: Effects): void
}

export class LiveClient {
  readonly #link: Link<number>
  readonly #around: LiveSurroundings
  readonly #listener: Listener

  constructor(around: LiveSurroundings, listener: Listener) {
    this.#link = new Link(JSON_CODEC, around, listener)
    this.#around = around
    this.#listener = listener
  }

  get state(): ConnectionState {
    return this.#link.state
  }

  start(): void {
    this.#link.start()
  }

  stop(): void {
    this.#link.stop()
  }

  /** The machine woke or the network came back. */
  wake(): void {
    this.#link.wake()
  }

  subscribe(request: SubscribeRequest, ringBound?: number): Subscription {
    const sub = newSubscription(this.#link.nextId(), request, ringBound)
    const applied = (message: SubscriptionMessage) =>
      this.#listener.applied(sub, apply(sub, message, this.#around.hubNow()))
    this.#link.add(new RingMember(sub, applied))
    return sub
  }

  unsubscribe(sub: Subscription): void {
    this.#link.remove(sub.id)
  }
}

class RingMember implements Member<number> {
  readonly #sub: Subscription
  readonly #apply: (message: SubscriptionMessage) => void

  constructor(sub: Subscription, apply: (message: SubscriptionMessage) => void) {
    this.#sub = sub
    this.#apply = apply
  }

  get id(): string {
    return this.#sub.id
  }

  get request(): SubscribeRequest {
    return this.#sub.request
  }

  get cursor(): Cursor | undefined {
    return this.#sub.cursor
  }

  begin(): void {
    beginConnection(this.#sub)
  }

  forget(): void {
    forgetCursor(this.#sub)
  }

  receive(message: SubscriptionMessage): undefined {
    this.#apply(message)
  }
}
