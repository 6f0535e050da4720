// What browsers and Node have in common beyond the language, as far as it is used here, in types of our own: so the package's
// declarations need neither the DOM's types nor Node's.

/** The part of a WebSocket that is used, so that tests and other implementations fit. */
export interface Socket {
  onopen: ((event: never) => void) | null
  onmessage: ((event: { data: unknown }) => void) | null
  onclose: ((event: { code: number; reason: string }) => void) | null
  onerror: ((event: never) => void) | null
  binaryType?: string
  send(data: string | Uint8Array): void
  close(code?: number, reason?: string): void
}

/** `WebSocket` of browsers and of Node 22, and that of the package `ws`. */
// biome-ignore lint/suspicious/noExplicitAny: constructors of several worlds, whose events are typed apart
export type SocketConstructor = new (url: string, protocols?: string[]) => any

export interface FetchAnswer {
  readonly status: number
  json(): Promise<unknown>
}

export type Fetch = (
  url: string,
  init: { method: string; headers?: Record<string, string>; signal?: never },
) => Promise<FetchAnswer>

interface Wakeable {
  addEventListener?(type: string, run: () => void): void
  removeEventListener?(type: string, run: () => void): void
}

interface Url {
  protocol: string
  pathname: string
  search: string
  hash: string
  readonly href: string
}

interface Globals extends Wakeable {
  URL: new (url: string, base?: string) => Url
  TextDecoder: new (label: string, options: { ignoreBOM: boolean }) => { decode(bytes: Uint8Array): string }
  TextEncoder: new () => { encode(text: string): Uint8Array }
  performance: { now(): number }
  setTimeout(run: () => void, ms: number): unknown
  clearTimeout(timer: unknown): void
  queueMicrotask(run: () => void): void
  fetch?: Fetch
  WebSocket?: SocketConstructor
  document?: Wakeable & { readonly baseURI: string; readonly visibilityState: string }
  location?: { readonly href: string }
}

export const world = globalThis as unknown as Globals

/** A mark at the beginning of a text is part of the text. */
const decoder = new world.TextDecoder('utf-8', { ignoreBOM: true })
const encoder = new world.TextEncoder()

export function decodeUtf8(bytes: Uint8Array): string {
  return decoder.decode(bytes)
}

export function encodeUtf8(text: string): Uint8Array {
  return encoder.encode(text)
}

export function after(ms: number, run: () => void): () => void {
  const timer = world.setTimeout(run, ms)
  return () => world.clearTimeout(timer)
}

/** An error that nobody listens to goes where uncaught errors go, and nothing here is stopped by it. */
export function throwLater(error: unknown): void {
  world.queueMicrotask(() => {
    throw error
  })
}

/** Calls when the machine woke or the network came back, where there is a page to notice it. */
export function onWake(run: () => void): () => void {
  const { document } = world
  if (document === undefined) return () => undefined
  const shown = () => {
    if (document.visibilityState === 'visible') run()
  }
  world.addEventListener?.('online', run)
  document.addEventListener?.('visibilitychange', shown)
  return () => {
    world.removeEventListener?.('online', run)
    document.removeEventListener?.('visibilitychange', shown)
  }
}
