// The address after `#`: `#/`, `#/device/ID?range=1h`, `#/explore?select=…` or `#/status`.
import { signal } from '@preact/signals'

export type Route =
  | { page: 'devices' }
  | { page: 'device'; id: string; query: URLSearchParams }
  | { page: 'explore'; query: URLSearchParams }
  | { page: 'status' }

export function parseRoute(hash: string): Route {
  const [path = '', query = ''] = hash.replace(/^#/, '').split('?', 2)
  if (path === '/status') return { page: 'status' }
  if (path === '/explore') return { page: 'explore', query: new URLSearchParams(query) }
  const match = /^\/device\/(.+)$/.exec(path)
  if (match?.[1] === undefined) return { page: 'devices' }
  try {
    return { page: 'device', id: decodeURIComponent(match[1]), query: new URLSearchParams(query) }
  } catch {
    return { page: 'devices' }
  }
}

export function deviceHref(id: string, query?: string): string {
  const path = `#/device/${encodeURIComponent(id)}`
  return query === undefined || query === '' ? path : `${path}?${query}`
}

export const route = signal<Route>(parseRoute(location.hash))

/** Changes the address without a new entry for the back button. */
export function replaceHash(hash: string): void {
  history.replaceState(null, '', hash)
  route.value = parseRoute(hash)
}

window.addEventListener('hashchange', () => {
  if (!location.hash.startsWith('#login=')) route.value = parseRoute(location.hash)
})
