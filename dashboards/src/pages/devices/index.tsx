// All devices with their state and last values, live, as rows or tiles. However many there are, only those in view are drawn and
// watched; an empty hub says what to do next and fills by itself.
import { useSignal } from '@preact/signals'
import { useEffect, useMemo } from 'preact/hooks'
import type { Device } from '../../api'
import { second } from '../../clock'
import type { Watch } from '../../live'
import { type View, VirtualList } from '../../parts/virtual-list'
import { session } from '../../session'
import { useTitle } from '../../title'
import { Welcome } from '../welcome'
import { Bar } from './bar'
import { Feed, keepFresh, listError, listed, reload } from './feed'
import { attributed, countStates, type Form, filtersHref, offers, ofState } from './filters'
import { arrange, groupsOf, type Listed, rowsOf, type States } from './list'
import { DeviceRow } from './row'
import { hasSpark, sparksVersion, wantSparks } from './sparks'
import { DeviceTile } from './tile'
import { useFilters } from './use-filters'
import { useScrollKept } from './use-scroll'

/** What came into view is watched when the scrolling has paused for so long. */
const SETTLE_MS = 150
/** An order that follows live states is made anew this often, so that rows do not jump under the hand. */
const REORDER_S = 5

/** Lines of the last hour are looked after this often. */
const SPARKS_S = 10

/** A tile is at least so wide. */
const TILE_PX = 232

export function DevicesPage({ query }: { query: URLSearchParams }) {
  useTitle('Devices')
  useEffect(keepFresh, [])
  const list = listed.value
  if (list === undefined) {
    return (
      <main>
        {listError.value === '' ? <p class="none late">Asking the hub</p> : <p class="note">{listError.value}</p>}
      </main>
    )
  }
  return <List list={list} query={query} />
}

function List({ list, query }: { list: Listed; query: URLSearchParams }) {
  const view = useSignal<View>({ first: 0, end: 0 })
  const { filters, form, onSet } = useFilters(query)
  useScrollKept(filtersHref(filters))
  const feed = useFeed()
  const watches = feed.watches.value
  for (const one of watches) one.version.value
  useNewDevices(list, watches)
  const refused = watches.map((one) => one.refused.value).find((text) => text !== '')
  const states: States = new Map(watches.flatMap((one) => [...one.sub.devices]))
  const { typed, order, state, where } = filters
  const follows = order === 'state' || order === 'seen' || state !== undefined || typed !== '' || where.length > 0
  const beat = follows ? Math.floor(second.value / REORDER_S) : 0
  const found = useMemo(
    () => arrange(attributed(list.devices, states, where), states, typed, order),
    [list.devices, typed, order, JSON.stringify(where), beat],
  )
  const all = useMemo(() => ofState(found, states, state), [found, state, beat])
  const offered = useMemo(() => offers(list.devices), [list.devices])
  const who = session.value
  const shown = all.slice(view.value.first, view.value.end)
  useInView(list, shown, feed)
  // An empty hub is watched as well: the first reading turns this into the list.
  if (list.whole && list.devices.length === 0) return <Welcome who={who.phase === 'in' ? who.session : undefined} />
  return (
    <main class="devices">
      <Bar {...{ filters, form, onSet }} counts={countStates(found, states)} more={!list.whole} offers={offered} />
      {listError.value !== '' && <p class="note">{listError.value}</p>}
      {refused !== undefined && <p class="note">{refused}</p>}
      <VirtualList
        key={form}
        class={form}
        count={all.length}
        view={view}
        leastWidth={form === 'tiles' ? TILE_PX : undefined}
      >
        <Rows {...{ form, states, watches }} devices={shown} first={view.value.first} count={all.length} />
      </VirtualList>
      {all.length === 0 && <Nothing typed={typed} onAll={() => onSet({ typed: '', state: undefined, where: [] })} />}
    </main>
  )
}

function Nothing({ typed, onAll }: { typed: string; onAll(): void }) {
  return (
    <p class="none">
      {typed === '' ? 'No device matches the filters.' : `No device matches “${typed}”.`}{' '}
      <button type="button" class="link" onClick={onAll}>
        Show all
      </button>
    </p>
  )
}

interface RowsProps {
  form: Form
  devices: readonly Device[]
  first: number
  count: number
  states: States
  watches: readonly Watch[]
}

function Rows({ form, devices, first, count, states, watches }: RowsProps) {
  const series = watches.flatMap((one) => [...one.sub.series.values()])
  const rows = rowsOf(devices, states, series)
  const sparks = rows.map((row) => row.values[0]).filter(hasSpark)
  // When other rows came, and when lines came; not at each value, or values that come often would put it off for ever.
  const look = [sparksVersion.value, Math.floor(second.value / SPARKS_S), ...sparks.map(({ key }) => key)].join('\n')
  useEffect(() => {
    const timer = setTimeout(() => void wantSparks(sparks), SETTLE_MS)
    return () => clearTimeout(timer)
  }, [look])
  const One = form === 'tiles' ? DeviceTile : DeviceRow
  return (
    <>
      {rows.map((row, i) => (
        <One key={row.id} row={row} place={first + i} count={count} />
      ))}
    </>
  )
}

interface LiveFeed {
  watches: { value: readonly Watch[] }
  want(groups: readonly string[][]): void
}

function useFeed(): LiveFeed {
  const watches = useSignal<readonly Watch[]>([])
  const feed = useMemo(() => new Feed(), [])
  useEffect(() => () => feed.stop(), [feed])
  const want = (groups: readonly string[][]) => {
    feed.want(groups)
    watches.value = feed.watches
  }
  return { watches, want }
}

/** Watches what is in view, once it has been for a moment; a small hub whole, at once. */
function useInView(list: Listed, shown: readonly Device[], feed: LiveFeed): void {
  const groups = groupsOf(
    list,
    shown.map((device) => device.device),
  )
  const wanted = JSON.stringify(groups)
  useEffect(() => {
    const whole = groups.length === 1 && groups[0]?.[0] === '*/*'
    const timer = setTimeout(() => feed.want(groups), whole ? 0 : SETTLE_MS)
    return () => clearTimeout(timer)
  }, [wanted])
}

/** Live told of a device that the list does not have: the list is asked for again. */
function useNewDevices(list: Listed, watches: readonly Watch[]): void {
  const known = useMemo(() => new Set(list.devices.map((device) => device.device)), [list.devices])
  let unknown = 0
  for (const one of watches) {
    one.shape.value
    for (const series of one.sub.series.values()) if (!known.has(series.device)) unknown += 1
  }
  useEffect(() => {
    if (unknown > 0) void reload()
  }, [unknown])
}
