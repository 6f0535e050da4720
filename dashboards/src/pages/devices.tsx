// All devices with their state and last values, live. A hub with many is listed page by page, and only the devices that
// are listed are watched; an empty hub says what to do next and fills by itself.
import { effect, signal, useComputed, useSignal } from '@preact/signals'
import { type Series, selectorOf } from '@telltale/client'
import { useEffect, useMemo } from 'preact/hooks'
import { type Device, fetchDevices } from '../api'
import { hubNow, second } from '../clock'
import { type Watch, watch } from '../live'
import { StateDot } from '../parts/state'
import { ApiError } from '../rest'
import { deviceHref } from '../route'
import { session } from '../session'
import { ago, moment, valueText } from '../words'
import { filterRows, type Row, rowsOf } from './list'
import { Welcome } from './welcome'

const PAGE = 200
/** A last value needs no ring; a few points are kept so that a late one does not push out the newest. */
const RING = 8
/** The hub takes no more selectors in one subscription. */
const SELECTS_MOST = 64
/** Figures that change faster than this cannot be read. */
const MAX_HZ = 5
const REFRESH_MS = 10_000

interface Listed {
  devices: Device[]
  next?: string
}

/** Kept when the page is left, so that coming back shows it at once. */
const listed = signal<Listed | undefined>(undefined)
const typed = signal('')

effect(() => {
  // The next who logs in may see others.
  if (session.value.phase !== 'in') listed.value = undefined
})

export function DevicesPage() {
  const error = useSignal('')
  const selects = useComputed(() => selectsOf(listed.value)).value
  const watches = useMemo(
    () =>
      selects
        .split('\n\n')
        .filter(Boolean)
        .map((some) => watch({ select: some.split('\n'), maxHz: MAX_HZ }, { ringBound: RING })),
    [selects],
  )
  useEffect(
    () => () => {
      for (const one of watches) one.stop()
    },
    [watches],
  )
  useEffect(() => {
    const load = () => void reload(error)
    load()
    const timer = setInterval(load, REFRESH_MS)
    return () => clearInterval(timer)
  }, [])
  useNewDevices(watches, () => void reload(error))

  const list = listed.value
  if (list === undefined) {
    return <main>{error.value !== '' && <p class="note">{error.value}</p>}</main>
  }
  if (list.devices.length === 0) return <Welcome />
  return <List list={list} watches={watches} error={error.value} onMore={() => void more(error)} />
}

function List(props: { list: Listed; watches: readonly Watch[]; error: string; onMore(): void }) {
  const { list, watches } = props
  for (const one of watches) one.version.value
  second.value
  const states = new Map(watches.flatMap((one) => [...one.sub.devices]))
  const series = watches.flatMap((one) => [...one.sub.series.values()])
  const all = rowsOf(list.devices, states, series)
  const rows = filterRows(all, typed.value)
  return (
    <main class="devices">
      <div class="bar">
        <h1>Devices</h1>
        <Counts rows={all} more={list.next !== undefined} />
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
      {props.error !== '' && <p class="note">{props.error}</p>}
      <ul class="rows">
        {rows.map((row) => (
          <DeviceRow key={row.id} row={row} />
        ))}
      </ul>
      {rows.length === 0 && <p class="none">No device matches “{typed.value}”.</p>}
      {list.next !== undefined && (
        <button type="button" class="more" onClick={props.onMore}>
          Show more devices
        </button>
      )}
    </main>
  )
}

function Counts({ rows, more }: { rows: readonly Row[]; more: boolean }) {
  const online = rows.filter((row) => row.state === 'online').length
  return (
    <p class="counts">
      {online} of {rows.length}
      {more ? '+' : ''} online
    </p>
  )
}

function DeviceRow({ row }: { row: Row }) {
  const now = hubNow()
  const site = row.attributes.site
  return (
    <li class={`row is-${row.state}`}>
      <a href={deviceHref(row.id)}>
        <span class="row-name">
          <StateDot state={row.state} />
          <span>
            <b>{row.name}</b>
            <small>{[row.name === row.id ? '' : row.id, site ?? '', viaText(row)].filter(Boolean).join(' · ')}</small>
          </span>
        </span>
        <span class="row-values">
          {row.values.map((series) => (
            <ValueCell key={series.key} series={series} />
          ))}
          {row.more > 0 && <span class="row-more">+{row.more}</span>}
        </span>
        <time class="row-seen" title={row.seen === undefined ? '' : moment(row.seen, now)}>
          {row.seen === undefined ? 'no reading yet' : ago(row.seen, now)}
        </time>
      </a>
    </li>
  )
}

function viaText(row: Row): string {
  return row.via === undefined || row.via === row.id ? '' : `via ${row.via}`
}

function ValueCell({ series }: { series: Series }) {
  const last = series.last
  return (
    <span
      class="value"
      title={Object.entries(series.labels)
        .map(([k, v]) => `${k}=${v}`)
        .join(', ')}
    >
      <small>{series.metric}</small>
      <b>{last === undefined ? '–' : valueText(last[1], series.unit, series.decimals)}</b>
    </span>
  )
}

/**
 * A small hub is watched whole, and new devices then show at once; of a large one only what is listed. As text, so that an
 * equal list keeps its subscriptions: selectors by line, subscriptions parted by an empty one.
 */
function selectsOf(list: Listed | undefined): string {
  if (list === undefined) return ''
  if (list.next === undefined && list.devices.length <= PAGE) return '*/*'
  const selects = list.devices.map((device) => selectorOf({ device: device.device }))
  const groups: string[] = []
  for (let i = 0; i < selects.length; i += SELECTS_MOST) groups.push(selects.slice(i, i + SELECTS_MOST).join('\n'))
  return groups.join('\n\n')
}

/** Live told of a device that the list does not have: the list is asked for again. */
function useNewDevices(watches: readonly Watch[], reload: () => void): void {
  const known = new Set(listed.value?.devices.map((device) => device.device))
  let unknown = 0
  for (const one of watches) {
    one.shape.value
    for (const series of one.sub.series.values()) if (!known.has(series.device)) unknown += 1
  }
  useEffect(() => {
    if (unknown > 0) reload()
  }, [unknown])
}

async function reload(error: { value: string }): Promise<void> {
  try {
    const wanted = Math.max(PAGE, listed.peek()?.devices.length ?? 0)
    listed.value = await fetchDevices(wanted)
    error.value = ''
  } catch (caught) {
    // The connection's own line tells of a hub that is away.
    error.value = caught instanceof ApiError && caught.status !== 0 ? caught.message : ''
  }
}

async function more(error: { value: string }): Promise<void> {
  const list = listed.peek()
  if (list?.next === undefined) return
  try {
    const next = await fetchDevices(PAGE, list.next)
    listed.value = { ...next, devices: [...list.devices, ...next.devices] }
  } catch (caught) {
    error.value = caught instanceof ApiError ? caught.message : 'The next devices could not be read.'
  }
}
