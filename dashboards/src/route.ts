// The address after `#`: `#/?state=…`, `#/device/ID?range=1h`, `#/explore?select=…` or `#/status`.
import { batch, computed, effect, signal } from '@preact/signals'
import { Address } from './address'
import { calendarOf, withCalendar } from './told-zone'
import { showCalendar, weekChoice, zone } from './zone'

export type Route =
  | { page: 'devices'; query: URLSearchParams }
  | { page: 'device'; id: string; query: URLSearchParams }
  | { page: 'explore'; query: URLSearchParams }
  | { page: 'status' }
  /** An address of no page. */
  | { page: 'lost' }

export function parseRoute(hash: string): Route {
  const [path = '', query = ''] = hash.replace(/^#/, '').split('?', 2)
  if (path === '/status') return { page: 'status' }
  if (path === '/explore') return { page: 'explore', query: new URLSearchParams(query) }
  // A login link leads to the list.
  if (path === '' || path === '/' || path.startsWith('login='))
    return { page: 'devices', query: new URLSearchParams(query) }
  const match = /^\/device\/(.+)$/.exec(path)
  if (match?.[1] === undefined) return { page: 'lost' }
  try {
    return { page: 'device', id: decodeURIComponent(match[1]), query: new URLSearchParams(query) }
  } catch {
    return { page: 'lost' }
  }
}

export function deviceHref(id: string, query?: string): string {
  const path = `#/device/${encodeURIComponent(id)}`
  return query === undefined || query === '' ? path : `${path}?${query}`
}

/** A query of what is not empty, then what is written already. */
export function queryText(named: Readonly<Record<string, string>>, written: string): string {
  const query = new URLSearchParams(Object.entries(named).filter(([, value]) => value !== ''))
  return [query.toString(), written].filter(Boolean).join('&')
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
  // First: what is shown may put the zone into the address, and that is later.
  address.put(hash)
  route.value = parseRoute(hash)
}

/** A step that the back button undoes. */
export function pushHash(hash: string): void {
  address.flush()
  location.hash = hash
}

window.addEventListener('pagehide', () => address.flush())
window.addEventListener('hashchange', () => {
  address.forget()
  if (!location.hash.startsWith('#login=')) batch(() => show(parseRoute(location.hash)))
})

/** The zone first: the address of a page of charts follows it. */
function show(next: Route): void {
  if (hasCharts(next)) showCalendar(calendarOf(next.query))
  route.value = next
}

function hasCharts(at: Route): at is Route & { page: 'device' | 'explore' } {
  return at.page === 'device' || at.page === 'explore'
}

show(route.peek())
effect(() => {
  const at = route.value
  const next = hasCharts(at) ? withCalendar(at.query, { zone: zone.value, week: weekChoice.value }) : undefined
  if (next !== undefined && hasCharts(at)) replaceHash(hrefOf(at, next.toString()))
})

function hrefOf(at: Route & { page: 'device' | 'explore' }, query: string): string {
  if (at.page === 'device') return deviceHref(at.id, query)
  return query === '' ? '#/explore' : `#/explore?${query}`
}
