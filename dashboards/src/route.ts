// The address after `#`: `#/?state=…`, `#/device/ID?range=1h`, `#/explore?select=…` or `#/status`.
import { batch, computed, effect, signal } from '@preact/signals'
import { Address, type How } from './address'
import { calendarOf, withCalendar } from './told-zone'
import { calendarChoices, showCalendar, weekChoice, zone } from './zone'

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
  replace: (hash) => history.replaceState(entryNow(), '', hash),
  push: (hash) => history.pushState(entryNow(), '', hash),
  after: (ms, run) => void setTimeout(run, ms),
})

/** Shows what an address says, with the zone and the first day that are shown, and writes it. */
export function goTo(hash: string, how: How): void {
  const whole = withShown(hash)
  address.write(whole, how)
  route.value = parseRoute(whole)
}

/** What the browser keeps with an entry of its history: how many choices of zone and first day had been made when it was written. */
interface Entry {
  choices: number
}

function entryNow(): Entry {
  return { choices: calendarChoices.peek() }
}

function entryOf(state: unknown): Entry | undefined {
  const { choices } = (state ?? {}) as Partial<Entry>
  return typeof choices === 'number' ? { choices } : undefined
}

/** Notes it with an entry that a link made. */
function mark(): void {
  try {
    history.replaceState(entryNow(), '', location.hash)
  } catch {
    // Browsers take only so many in a while. Then the link has the word when one comes back to it.
  }
}

window.addEventListener('pagehide', () => address.flush())
window.addEventListener('hashchange', () => {
  address.forget()
  if (!location.hash.startsWith('#login=')) batch(() => show(parseRoute(location.hash)))
})

/**
 * The zone first: the address of a page of charts follows it. A link tells the zone; an entry that one comes back to does not where
 * another was chosen since: the back button undoes steps, not choices.
 */
function show(next: Route): void {
  if (hasCharts(next)) {
    const entry = entryOf(history.state)
    if (entry === undefined) mark()
    if (entry === undefined || entry.choices >= calendarChoices.peek()) showCalendar(calendarOf(next.query))
  }
  route.value = next
}

function hasCharts(at: Route): at is Route & { page: 'device' | 'explore' } {
  return at.page === 'device' || at.page === 'explore'
}

// Of a page that is loaded anew, what was chosen before is older than what will be.
calendarChoices.value = entryOf(history.state)?.choices ?? 0
show(route.peek())
effect(() => {
  const at = route.value
  const query = hasCharts(at) ? withCalendar(at.query, { zone: zone.value, week: weekChoice.value }) : undefined
  if (query !== undefined && hasCharts(at)) goTo(hrefOf(at, query.toString()), 'choice')
})

/** The address with the zone and the first day that are shown, if it is one of charts. */
function withShown(hash: string): string {
  const at = parseRoute(hash)
  if (!hasCharts(at)) return hash
  const query = withCalendar(at.query, { zone: zone.peek(), week: weekChoice.peek() })
  return query === undefined ? hash : hrefOf(at, query.toString())
}

function hrefOf(at: Route & { page: 'device' | 'explore' }, query: string): string {
  if (at.page === 'device') return deviceHref(at.id, query)
  return query === '' ? '#/explore' : `#/explore?${query}`
}
