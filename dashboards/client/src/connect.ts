// The door for users: `connect` to a hub, `subscribe` to what a selector names, and be called with each change.

import { type Codec, EXACT_CODEC, JSON_CODEC, MSGPACK_CODEC } from './codec.js'
import type { ConnectionState } from './connection.js'
import { type Credentials, Door } from './door.js'
import { type Change, Feed, type SeriesInfo } from './feed.js'
import { Link, type Member } from './link.js'
import type { Cursor, DeviceStateEntry, HubError, SubscribeRequest, SubscriptionMessage, Time } from './protocol.js'
import { after, type Fetch, onWake, type SocketConstructor, throwLater, world } from './surroundings.js'

export interface ConnectOptions extends Credentials {
  /** How messages travel: `json` (the default), or `msgpack`, which is smaller. */
  encoding?: 'json' | 'msgpack' | undefined
  /** Times as bigint nanoseconds, integers beyond 2^53 as bigint: nothing is rounded. Travels as MessagePack. */
  exact?: boolean | undefined
  /** Where the world has none: Node before 22. */
  WebSocket?: SocketConstructor | undefined
  fetch?: Fetch | undefined
  /** Each change of the connection: connecting, live, waiting (until when and why), ended. */
  onState?: ((state: ConnectionState) => void) | undefined
  /** Errors that no subscription listens to. Without it they are thrown where uncaught errors go. */
  onError?: ((error: TelltaleError) => void) | undefined
  /** What may wait for callbacks that return promises; past it the client goes on later, from its cursors. */
  maxQueuedBytes?: number | undefined
}

export interface SubscribeOptions<T extends Time = number> {
  /** How far back the first snapshot goes, such as `15m`; absent: each series' last known value. */
  history?: string | undefined
  /** At most so many frames a second (0.1 to 60, by default 10). A frame holds all that came since the one before. */
  maxHz?: number | undefined
  /** With `history`: merge what is older than a column of `history / points`; a hub that cannot do so refuses it. */
  points?: number | undefined
  /** Of an earlier subscription with the same selector, also in another process: only what came after it is sent. */
  cursor?: Cursor | undefined
  /** The hub refused the subscription, or ended it. */
  onError?: ((error: TelltaleError) => void) | undefined
  /** Devices that came online, fell silent or went. */
  onDevices?: ((devices: readonly DeviceStateEntry<T>[]) => void) | undefined
}

/** Called with each change, in order; while a promise that it returned is pending, nothing more is handed over. */
export type OnData<T extends Time = number> = (
  change: Change<T>,
  subscription: LiveSubscription,
) => void | Promise<void>

export interface LiveSubscription {
  readonly select: readonly string[]
  /** `asked` until the first snapshot, also after a break; `refused`: `error` says why, and nothing more comes. */
  readonly phase: 'asked' | 'live' | 'refused'
  readonly error: TelltaleError | undefined
  /** Where it stands: of the last change that was handed over. */
  readonly cursor: Cursor | undefined
  readonly series: Iterable<SeriesInfo>
  unsubscribe(): void
}

export interface Hub<T extends Time = number> {
  readonly state: ConnectionState
  /** Series that appear later and fit are sent as they come. */
  subscribe(select: string | readonly string[], options: SubscribeOptions<T>, onData: OnData<T>): LiveSubscription
  /** Do not wait for the next try. Pages do it by themselves when they are shown again or the network comes back. */
  wake(): void
  /** Ends the connection; nothing is handed over any more. */
  close(): void
}

/** What the hub refused (its code and words), or `bad_message` for one that could not be read. */
export class TelltaleError extends Error {
  override name = 'TelltaleError'
  readonly code: string
  readonly hint: string | undefined

  constructor(error: HubError) {
    super(error.message)
    this.code = error.code
    this.hint = error.hint
  }
}

/** Connects now and, after every break, again. `url` is the hub's address, such as `http://127.0.0.1:8080`. */
export function connect(url: string, options: ConnectOptions & { exact: true }): Hub<bigint>
export function connect(url: string, options?: ConnectOptions & { exact?: false | undefined }): Hub<number>
export function connect(url: string, options: ConnectOptions = {}): Hub<bigint> | Hub<number> {
  if (options.exact !== true)
    return new HubLink(url, options.encoding === 'msgpack' ? MSGPACK_CODEC : JSON_CODEC, options)
  if (options.encoding === 'json')
    throw new TypeError('exact times do not fit into JSON: leave encoding out, or say msgpack')
  return new HubLink(url, EXACT_CODEC, options)
}

class HubLink<T extends Time> implements Hub<T> {
  readonly #link: Link<T>
  readonly #options: ConnectOptions
  readonly #unwatch: () => void

  constructor(url: string, codec: Codec<T>, options: ConnectOptions) {
    const door = new Door({ ...options, url, protocol: codec.protocol })
    this.#options = options
    this.#link = new Link(
      codec,
      {
        open: () => door.open(),
        now: () => world.performance.now(),
        random: Math.random,
        after,
        allowed: () => door.allowed(),
      },
      {
        connection: (state) => options.onState?.(state),
        problem: (message) => this.report(new TelltaleError({ code: 'bad_message', message })),
      },
      options.maxQueuedBytes,
    )
    this.#unwatch = onWake(() => this.#link.wake())
    this.#link.start()
  }

  get state(): ConnectionState {
    return this.#link.state
  }

  subscribe(select: string | readonly string[], options: SubscribeOptions<T>, onData: OnData<T>): LiveSubscription {
    const list = typeof select === 'string' ? [select] : [...select]
    const id = this.#link.nextId()
    const around = {
      leave: () => this.#link.remove(id),
      forget: () => this.#link.forget(id),
      report: (error: TelltaleError) => this.report(error),
    }
    const member = new FeedMember(id, list, options, onData, around)
    this.#link.add(member)
    return member
  }

  wake(): void {
    this.#link.wake()
  }

  close(): void {
    this.#unwatch()
    this.#link.stop()
  }

  report(error: TelltaleError): void {
    if (this.#options.onError === undefined) throwLater(error)
    else this.#options.onError(error)
  }
}

/** What a subscription may do to the link it belongs to. */
interface Around {
  leave(): void
  forget(): void
  report(error: TelltaleError): void
}

class FeedMember<T extends Time> implements Member<T>, LiveSubscription {
  readonly id: string
  readonly request: SubscribeRequest
  phase: LiveSubscription['phase'] = 'asked'
  error: TelltaleError | undefined
  readonly #feed: Feed<T>
  readonly #options: SubscribeOptions<T>
  readonly #onData: OnData<T>
  readonly #around: Around

  constructor(id: string, select: readonly string[], options: SubscribeOptions<T>, onData: OnData<T>, around: Around) {
    const { history, maxHz, points, cursor } = options
    this.id = id
    this.request = { select, ...defined({ history, maxHz, points }) }
    this.#feed = new Feed(cursor)
    this.#options = options
    this.#onData = onData
    this.#around = around
  }

  get select(): readonly string[] {
    return this.request.select
  }

  get cursor(): Cursor | undefined {
    return this.#feed.cursor
  }

  get series(): Iterable<SeriesInfo> {
    return this.#feed.series
  }

  unsubscribe(): void {
    this.#around.leave()
  }

  begin(): void {
    this.#feed.begin()
    this.phase = 'asked'
  }

  forget(): void {
    this.#feed.cursor = undefined
  }

  receive(message: SubscriptionMessage<T>): Promise<void> | undefined {
    if (message.type === 'error') {
      this.#refused(new TelltaleError(message.error))
      return undefined
    }
    if (message.type === 'state') return guarded(() => this.#options.onDevices?.(message.devices))
    const change = this.#feed.change(message)
    if (change === undefined) return undefined
    if (change.type === 'snapshot') this.phase = 'live'
    return guarded(() => this.#onData(change, this))
  }

  /** Nothing more comes of its id. */
  #refused(error: TelltaleError): void {
    this.#around.forget()
    this.phase = 'refused'
    this.error = error
    if (this.#options.onError === undefined) this.#around.report(error)
    else this.#options.onError(error)
  }
}

/** What a callback throws is the caller's: it goes where uncaught errors go, and the feed goes on. */
function guarded(run: () => void | Promise<void>): Promise<void> | undefined {
  try {
    const result = run()
    return result instanceof Promise ? result.catch(throwLater) : undefined
  } catch (error) {
    throwLater(error)
    return undefined
  }
}

function defined<O extends object>(options: O): { [K in keyof O]?: NonNullable<O[K]> } {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as never
}
