// All devices with their state and last values, live. However many there are, only the rows in view are drawn and watched; an
// empty hub says what to do next and fills by itself.
import { signal, useSignal } from '@preact/signals'
import { useEffect, useMemo } from 'preact/hooks'
import type { Device } from '../../api'
import { second } from '../../clock'
import type { Watch } from '../../live'
import { type View, VirtualList } from '../../parts/virtual-list'
import { Welcome } from '../welcome'
import { Feed, keepFresh, listError, listed, reload } from './feed'
import { arrange, countOnline, groupsOf, type Listed, ORDERS, type Order, rowsOf, type States } from './list'
import { DeviceRow } from './row'
import { hasSpark, sparksVersion, wantSparks } from './sparks'

/** What came into view is watched when the scrolling has paused for so long. */
const SETTLE_MS = 150
/** An order that follows live states is made anew this often, so that rows do not jump under the hand. */
const REORDER_S = 5

const typed = signal('')
const order = signal<Order>('name')

export function DevicesPage() {
  useEffect(keepFresh, [])
  const list = listed.value
  if (list === undefined) {
    return <main>{listError.value !== '' && <p class="note">{listError.value}</p>}</main>
  }
  return <List list={list} />
}

function List({ list }: { list: Listed }) {
  const view = useSignal<View>({ first: 0, end: 0 })
  const feed = useFeed()
  const watches = feed.watches.value
  for (const one of watches) one.version.value
  useNewDevices(list, watches)
  const refused = watches.map((one) => one.refused.value).find((text) => text !== '')
  const states: States = new Map(watches.flatMap((one) => [...one.sub.devices]))
  const beat = order.value === 'name' || order.value === 'site' ? 0 : Math.floor(second.value / REORDER_S)
  const all = useMemo(
    () => arrange(list.devices, states, typed.value, order.value),
    [list.devices, typed.value, order.value, beat],
  )
  const shown = all.slice(view.value.first, view.value.end)
  useInView(list, shown, feed)
  // An empty hub is watched as well: the first reading turns this into the list.
  if (list.whole && list.devices.length === 0) return <Welcome />
  return (
    <main class="devices">
      <Bar list={list} shown={all.length} online={countOnline(all, states)} />
      {listError.value !== '' && <p class="note">{listError.value}</p>}
      {refused !== undefined && <p class="note">{refused}</p>}
      <VirtualList class="rows" count={all.length} view={view}>
        <Rows devices={shown} first={view.value.first} count={all.length} states={states} watches={watches} />
      </VirtualList>
      {all.length === 0 && <p class="none">No device matches “{typed.value}”.</p>}
    </main>
  )
}

function Bar({ list, shown, online }: { list: Listed; shown: number; online: number }) {
  return (
    <div class="bar">
      <h1>Devices</h1>
      <p class="counts">
        {online} of {shown}
        {list.whole ? '' : '+'} online
      </p>
      <label class="order">
        <span class="visually-hidden">Order by</span>
        <select
          value={order.value}
          onChange={(event) => {
            order.value = event.currentTarget.value as Order
          }}
        >
          {Object.entries(ORDERS).map(([name, text]) => (
            <option key={name} value={name}>
              by {text}
            </option>
          ))}
        </select>
      </label>
      <input
        type="search"
        placeholder="Filter by name, site, state"
        aria-label="Filter devices"
        value={typed.value}
        onInput={(event) => {
          typed.value = event.currentTarget.value
        }}
      />
    </div>
  )
}

interface RowsProps {
  devices: readonly Device[]
  first: number
  count: number
  states: States
  watches: readonly Watch[]
}

function Rows({ devices, first, count, states, watches }: RowsProps) {
  second.value
  sparksVersion.value
  const series = watches.flatMap((one) => [...one.sub.series.values()])
  const rows = rowsOf(devices, states, series)
  useEffect(() => {
    const timer = setTimeout(() => void wantSparks(rows.map((row) => row.values[0]).filter(hasSpark)), SETTLE_MS)
    return () => clearTimeout(timer)
  })
  return (
    <>
      {rows.map((row, i) => (
        <DeviceRow key={row.id} row={row} place={first + i} count={count} />
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
