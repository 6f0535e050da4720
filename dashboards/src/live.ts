// The one socket of the page and the store behind it. Views watch; they never touch the socket.
//
// A message changes the rings at once; what the views see of it (`version`) moves in the next animation frame, once,
// however many messages came before it.
import { effect, type Signal, signal } from '@preact/signals'
import {
  type ConnectionState,
  type Effects,
  LiveClient,
  newSubscription,
  type Socket,
  type SubscribeRequest,
  type Subscription,
  trimBefore,
} from '@telltale/client'
import { fetchSession } from './api'
import { hubNow } from './clock'
import { onFrame, requestFrame } from './frame'
import { askedAgain } from './refused'
import { ApiError } from './rest'
import { sentence } from './words'

export const connection = signal<ConnectionState>({ phase: 'idle' })
/** The last complaint of the hub that belongs to no view. */
export const problem = signal('')

export interface Watch {
  /** Another one after the hub refused it and was asked again. */
  readonly sub: Subscription
  /** Why the hub refused it; empty again once it is live. Moves in the animation frame. */
  readonly refused: Signal<string>
  /** Moves in the animation frame after a change. */
  readonly version: Signal<number>
  /** Moves when series come or go or change unit or kind. */
  readonly shape: Signal<number>
  stop(): void
}

/** Asks nothing before it is started. */
export interface Prepared extends Watch {
  start(): void
}

interface Watched extends Prepared {
  sub: Subscription
  onEffects: ((effects: Effects) => void) | undefined
  dirty: boolean
  /** History was too much: live counts from the snapshot of last values on. */
  withoutHistory: boolean
  timer: ReturnType<typeof setTimeout> | undefined
}

const watches = new Map<string, Watched>()
let onEnded: ((reason: string) => void) | undefined

const client = new LiveClient(
  {
    open: () => new WebSocket(liveUrl()) as unknown as Socket,
    now: () => performance.now(),
    hubNow,
    random: Math.random,
    after: (ms, run) => {
      const timer = setTimeout(run, ms)
      return () => clearTimeout(timer)
    },
    allowed: async () => {
      try {
        await fetchSession()
        return true
      } catch (error) {
        return !(error instanceof ApiError && error.status === 401)
      }
    },
  },
  {
    connection: (state) => {
      connection.value = state
      if (state.phase === 'ended') onEnded?.(state.cause.reason)
    },
    applied: (sub, effects) => {
      const watch = watches.get(sub.id)
      if (watch === undefined || !effects.changed) return
      watch.dirty = true
      if (effects.replaced && watch.withoutHistory) trimBefore(sub, hubNow())
      if (sub.phase === 'refused') askAgain(watch)
      watch.onEffects?.(effects)
      requestFrame()
    },
    problem: (message) => {
      problem.value = sentence(message)
    },
  },
)

onFrame(() => {
  for (const watch of watches.values()) {
    if (!watch.dirty) continue
    watch.dirty = false
    watch.version.value = watch.sub.version
    watch.shape.value = watch.sub.shape
    if (watch.sub.phase === 'refused') watch.refused.value = refusalOf(watch.sub)
    else if (watch.sub.phase === 'live') watch.refused.value = ''
  }
})

export function liveStart(ended: (reason: string) => void): void {
  onEnded = ended
  client.start()
}

export function liveStop(): void {
  client.stop()
}

export function liveWake(): void {
  client.wake()
}

export interface WatchOptions {
  /** Points kept per series; small where only the last value is shown. */
  ringBound?: number
  onEffects?: (effects: Effects) => void
}

export function watch(request: SubscribeRequest, options?: WatchOptions): Watch {
  const prepared = prepare(request, options)
  prepared.start()
  return prepared
}

/** For a view that is being drawn: one that fails, or is left before it is shown, has asked nothing and leaves nothing behind. */
export function prepare(request: SubscribeRequest, options: WatchOptions = {}): Prepared {
  const watched: Watched = {
    sub: newSubscription('', request, options.ringBound),
    refused: signal(''),
    version: signal(0),
    shape: signal(0),
    onEffects: options.onEffects,
    dirty: false,
    withoutHistory: false,
    timer: undefined,
    start: () => {
      watched.sub = client.subscribe(request, options.ringBound)
      watches.set(watched.sub.id, watched)
    },
    stop: () => {
      clearTimeout(watched.timer)
      watches.delete(watched.sub.id)
      client.unsubscribe(watched.sub)
    },
  }
  return watched
}

/** What the hub refused is asked again, when that may help. */
function askAgain(watched: Watched): void {
  const { sub } = watched
  const again = sub.error === undefined ? undefined : askedAgain(sub.request, sub.error)
  if (again === undefined) return
  clearTimeout(watched.timer)
  watched.timer = setTimeout(() => {
    // A new connection asks by itself.
    if (watched.sub !== sub || sub.phase !== 'refused') return
    if (again.request.history !== sub.request.history) watched.withoutHistory = true
    watches.delete(sub.id)
    client.unsubscribe(sub)
    watched.sub = client.subscribe(again.request, sub.ringBound)
    goOn(watched.sub, sub)
    watches.set(watched.sub.id, watched)
  }, again.afterMs)
}

/** What one held stays until the other has its snapshot. */
function goOn(next: Subscription, from: Subscription): void {
  next.series = from.series
  next.devices = from.devices
  next.coverFrom = from.coverFrom
  next.version = from.version
  next.shape = from.shape
}

function refusalOf({ error }: Subscription): string {
  if (error === undefined) return ''
  return [error.message, error.hint ?? ''].filter(Boolean).map(sentence).join(' ')
}

/** Forgets live points older than `time` that older history covers. */
export function forgetBefore(watched: Watch, time: number): void {
  trimBefore(watched.sub, time)
}

window.addEventListener('online', liveWake)
document.addEventListener('visibilitychange', () => {
  if (document.visibilityState === 'visible') liveWake()
})

function liveUrl(): string {
  const url = new URL('api/v1/live', document.baseURI)
  url.hash = ''
  url.search = ''
  url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:'
  return url.href
}

/** A read-only look at what the page holds, for browser tests and the curious. */
export function exposeForTests(): void {
  const held = () =>
    [...watches.values()].map(({ sub }) => ({
      select: [...sub.request.select],
      phase: sub.phase,
      cursor: sub.cursor,
      coverFrom: sub.coverFrom,
      series: [...sub.series.values()].map((series) => {
        const { times, values } = series.ring.columns()
        return {
          device: series.device,
          metric: series.metric,
          labels: { ...series.labels },
          points: Array.from(times, (time, i) => [time, series.decode(values[i] ?? Number.NaN)]),
        }
      }),
    }))
  const handle = Object.freeze({ connection: () => structuredClone(connection.peek()), subscriptions: held })
  Object.defineProperty(window, '__telltale', { value: handle })
}

/** Whether the connection broke, or did not come about: a first one that is on its way is not cut off. */
export function isCutOff(): boolean {
  const state = connection.peek()
  return state.phase === 'waiting' || (state.phase === 'connecting' && state.cause !== undefined)
}

let frozenAt: number | undefined

effect(() => {
  const state = connection.value
  if (isHeard(state)) frozenAt = undefined
  else frozenAt ??= hubNow() - (state.phase === 'live' ? performance.now() - state.heardAt : 0)
})

/** Whether what is shown is so now: connected, and the hub answers. */
export function isHeard(state = connection.value): boolean {
  return state.phase === 'live' && !state.doubted
}

/** The right edge of sliding charts: now, or the moment until which the hub was heard, so that the picture stays and lies of nothing. */
export function shownNow(): number {
  return frozenAt ?? hubNow()
}
