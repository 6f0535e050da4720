// The address after `#`: `#/?state=…`, `#/device/ID?range=1h`, `#/explore?select=…` or `#/status`.
import { computed, signal } from '@preact/signals'
import { Address } from './address'

export type Route =
  | { page: 'devices'; query: URLSearchParams }
  | { page: 'device'; id: string; query: URLSearchParams }
  | { page: 'explore'; query: URLSearchParams }
  | { page: 'status' }

export function parseRoute(hash: string): Route {
  const [path = '', query = ''] = hash.replace(/^#/, '').split('?', 2)
  if (path === '/status') return { page: 'status' }
  if (path === '/explore') return { page: 'explore', query: new URLSearchParams(query) }
  const match = /^\/device\/(.+)$/.exec(path)
  if (match?.[1] === undefined) return { page: 'devices', query: new URLSearchParams(query) }
  try {
    return { page: 'device', id: decodeURIComponent(match[1]), query: new URLSearchParams(query) }
  } catch {
    return { page: 'devices', query: new URLSearchParams() }
  }
}

export function deviceHref(id: string, query?: string): string {
  const path = `#/device/${encodeURIComponent(id)}`
  return query === undefined || query === '' ? path : `${path}?${query}`
}

export const route = signal<Route>(parseRoute(location.hash))

/** Which page is shown, whatever part of it. */
export const routeKey = computed(() => {
  const at = route.value
  return at.page === 'device' ? `device ${at.id}` : at.page
})

/** The query of the page that is shown, which may be ahead of the address. */
export function shownQuery(): URLSearchParams {
  const at = route.peek()
  return 'query' in at ? at.query : new URLSearchParams()
}

const address = new Address({
  hash: () => location.hash,
  replace: (hash) => history.replaceState(null, '', hash),
  after: (ms, run) => void setTimeout(run, ms),
})

/** Changes what is shown without a new entry for the back button. */
export function replaceHash(hash: string): void {
  route.value = parseRoute(hash)
  address.put(hash)
}

/** A step that the back button undoes. */
export function pushHash(hash: string): void {
  address.flush()
  location.hash = hash
}

window.addEventListener('pagehide', () => address.flush())
window.addEventListener('hashchange', () => {
  address.forget()
  if (!location.hash.startsWith('#login=')) route.value = parseRoute(location.hash)
})
