// All devices with their state and last values, live. A hub with many is listed page by page, and only the devices that
// are listed are watched; an empty hub says what to do next and fills by itself.
import { signal, useComputed, useSignal } from '@preact/signals'
import { escapeGlob, type Series } from '@telltale/client'
import { useEffect, useMemo } from 'preact/hooks'
import { ApiError, type Device, fetchDevices } from '../api'
import { hubNow, second } from '../clock'
import { type Watch, watch } from '../live'
import { StateDot } from '../parts/state'
import { deviceHref } from '../route'
import { ago, moment, valueText } from '../words'
import { filterRows, type Row, rowsOf } from './list'
import { Welcome } from './welcome'

const PAGE = 200
/** A last value needs no ring; a few points are kept so that a late one does not push out the newest. */
const RING = 8
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

export function DevicesPage() {
  const error = useSignal('')
  const selects = useComputed(() => selectsOf(listed.value)).value
  const watched = useMemo(
    () =>
      selects === undefined ? undefined : watch({ select: selects.split('\n'), maxHz: MAX_HZ }, { ringBound: RING }),
    [selects],
  )
  useEffect(() => () => watched?.stop(), [watched])
  useEffect(() => {
    const load = () => void reload(error)
    load()
    const timer = setInterval(load, REFRESH_MS)
    return () => clearInterval(timer)
  }, [])
  useNewDevices(watched, () => void reload(error))

  const list = listed.value
  if (list === undefined)
    return error.value === '' ? null : (
      <main>
        <p class="note">{error.value}</p>
      </main>
    )
  if (list.devices.length === 0) return <Welcome />
  return <List list={list} watched={watched} error={error.value} onMore={() => void more(error)} />
}

function List(props: { list: Listed; watched: Watch | undefined; error: string; onMore(): void }) {
  const { list, watched } = props
  watched?.version.value
  second.value
  const all = rowsOf(list.devices, watched?.sub.devices ?? new Map(), watched?.sub.series.values() ?? [])
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

/** A small hub is watched whole, and new devices then show at once; of a large one only what is listed. */
function selectsOf(list: Listed | undefined): string | undefined {
  if (list === undefined) return undefined
  if (list.next === undefined && list.devices.length <= PAGE) return '*/*'
  return list.devices.map((device) => `${escapeGlob(device.device)}/*`).join('\n')
}

/** Live told of a device that the list does not have: the list is asked for again. */
function useNewDevices(watched: Watch | undefined, reload: () => void): void {
  const unknown = useComputed(() => {
    watched?.version.value
    const known = new Set(listed.value?.devices.map((device) => device.device))
    const heard = new Set([...(watched?.sub.series.values() ?? [])].map((series) => series.device))
    return [...heard].filter((device) => !known.has(device)).length
  })
  const count = unknown.value
  useEffect(() => {
    if (count > 0) reload()
  }, [count])
}

async function reload(error: { value: string }): Promise<void> {
  try {
    const wanted = Math.max(PAGE, listed.peek()?.devices.length ?? 0)
    listed.value = await fetchDevices(wanted)
    error.value = ''
  } catch (caught) {
    // The connection's own line tells of a hub that is away.
    error.value = caught instanceof ApiError && caught.status !== 0 ? caught.hub.message : ''
  }
}

async function more(error: { value: string }): Promise<void> {
  const list = listed.peek()
  if (list?.next === undefined) return
  try {
    const next = await fetchDevices(PAGE, list.next)
    listed.value = { ...next, devices: [...list.devices, ...next.devices] }
  } catch (caught) {
    error.value = caught instanceof ApiError ? caught.hub.message : 'The next devices could not be read.'
  }
}
