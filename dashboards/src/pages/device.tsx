// One device: who it is, how it stands, and a chart or timeline per metric, sliding with the live tail.
import { type Signal, useSignal } from '@preact/signals'
import { selectorOf } from '@telltale/client'
import { useEffect, useMemo, useRef } from 'preact/hooks'
import { type Device, fetchDevice, type LastValue } from '../api'
import { described, useCharted } from '../chart/charted'
import { isState } from '../chart/held'
import { LineCard } from '../chart/line-card'
import { byUnit, type Metric, metricsOf } from '../chart/members'
import type { Older } from '../chart/older'
import { StatesCard } from '../chart/states'
import { useTrim } from '../chart/use-trim'
import { useZooms, type Zooming } from '../chart/use-zooms'
import { hubNow, second } from '../clock'
import type { Watch } from '../live'
import { DeviceEditor } from '../parts/device-edit'
import { RangeBar } from '../parts/range-bar'
import { StateDot } from '../parts/state'
import { parseRange, rangeQuery, type TimeRange } from '../range'
import { isAway } from '../rest'
import { deviceHref, pushHash, queryText, replaceHash } from '../route'
import { session } from '../session'
import { useTitle } from '../title'
import { ago, moment } from '../words'
import { DeviceGaps } from './device-gaps'
import { exploreHref, NO_VIEW } from './explore/view'
import { zonesOf } from './zones'

const FILTER_FROM = 9
const NOTHING: ReadonlyMap<string, LastValue> = new Map()

export function DevicePage({ id, query }: { id: string; query: URLSearchParams }) {
  const range = parseRange(query)
  const typed = query.get('q') ?? ''
  const device = useDevice(id)
  const { watched, last, olders } = useCharted([selectorOf({ device: id })])
  useTitle(device.value?.name || id)
  useTrim(watched, olders, range)

  const shape = watched.shape.value
  // Live alone is enough to begin with.
  const known = last.values.value ?? (shape > 0 ? NOTHING : undefined)
  const metrics = useMemo(() => metricsOf(described(watched, known ?? NOTHING)), [watched, shape, last.values.value])
  const hrefOf = (next: TimeRange, wanted: string) => deviceHref(id, queryText({ q: wanted }, rangeQuery(next)))
  const zooming = useZooms(range, (next, asStep) => {
    if (asStep) pushHash(hrefOf(next, typed))
    else replaceHash(hrefOf(next, typed))
  })

  return (
    <main class="device">
      <DeviceHead id={id} device={device.value} watched={watched} />
      <DeviceNotes id={id} device={device} range={range} />
      <RangeBar range={range} zones={zonesOf(device.value)} {...zooming} />
      {last.error.value !== '' && <p class="note">{last.error.value}</p>}
      {watched.refused.value !== '' && <p class="note">{watched.refused.value}</p>}
      {last.values.value !== undefined && metrics.length === 0 && watched.sub.phase === 'live' && (
        <p class="none">No series of a device “{id}” is stored here.</p>
      )}
      {known === undefined && <p class="none late">Asking the hub</p>}
      {known !== undefined && (
        <Cards
          {...{ id, metrics, watched, range, olders, zooming, typed }}
          last={known}
          onTyped={(wanted) => replaceHash(hrefOf(range, wanted))}
        />
      )}
    </main>
  )
}

interface CardsProps {
  id: string
  metrics: readonly Metric[]
  watched: Watch
  last: ReadonlyMap<string, LastValue>
  range: TimeRange
  olders: Set<Older>
  zooming: Zooming
  typed: string
  onTyped(typed: string): void
}

function Cards({ id, metrics, watched, last, range, olders, zooming, typed, onTyped }: CardsProps) {
  const wanted = typed.toLowerCase()
  const shown = metrics.filter((m) => m.metric.toLowerCase().includes(wanted))
  const states = shown.filter((m) => isState(m, { watch: watched, last }))
  const lines = shown.filter((m) => !states.includes(m))
  const units = byUnit(lines)
  const { onZoom, onUndo } = zooming
  const askOf = ({ metric }: Metric) => ({ select: [selectorOf({ device: id, metric })] })
  return (
    <>
      {(metrics.length >= FILTER_FROM || typed !== '') && (
        <input
          type="search"
          class="metric-filter"
          placeholder={`Filter ${metrics.length} metrics`}
          aria-label="Filter metrics"
          value={typed}
          onInput={(event) => onTyped(event.currentTarget.value)}
        />
      )}
      {states.length > 0 && (
        <StatesCard metrics={states} askOf={askOf} {...{ watch: watched, last, range, olders, onZoom, onUndo }} />
      )}
      {units.map(({ unit, metrics }) => (
        <section
          key={unit}
          class={units.length > 1 ? 'unit of-several' : 'unit'}
          aria-label={unit === '' ? 'Charts' : `Charts in ${unit}`}
        >
          <h2 class={unit === '' ? 'visually-hidden' : ''}>{unit === '' ? 'Charts' : unit}</h2>
          <div class="cards">
            {metrics.map((metric) => (
              <LineCard
                key={metric.metric}
                syncKey={id}
                ask={askOf(metric)}
                {...{ metric, watch: watched, last, range, olders, ...zooming }}
              />
            ))}
          </div>
        </section>
      ))}
      {lines.length > 0 && <DeviceGaps id={id} metrics={lines} range={range} />}
      {shown.length === 0 && metrics.length > 0 && <p class="none">No metric matches “{typed}”.</p>}
    </>
  )
}

function DeviceHead({ id, device, watched }: { id: string; device: Device | undefined; watched: Watch }) {
  watched.version.value
  second.value
  const live = watched.sub.devices.get(id)
  const state = live?.state ?? device?.state ?? 'unknown'
  const newest = Math.max(0, ...[...watched.sub.series.values()].map((series) => series.last?.[0] ?? 0))
  const seen = Math.max(newest, live?.seen ?? 0, device?.seen ?? 0)
  const via = live?.via ?? device?.via
  const now = hubNow()
  return (
    <header class="device-head">
      <p class="crumb">
        <a href="#/">Devices</a>
      </p>
      <h1>{device === undefined || device.name === '' ? id : device.name}</h1>
      <p class="facts">
        <StateDot state={state} word />
        {device !== undefined && device.name !== '' && device.name !== id && <span class="mono">{id}</span>}
        {seen > 0 && <span title={moment(seen, now)}>last reading {ago(seen, now)}</span>}
        {via !== undefined && via !== id && <span>via {via}</span>}
        {Object.entries(device?.attributes ?? {}).map(([name, value]) => (
          <span key={name} class="attribute">
            {name} <b>{value}</b>
          </span>
        ))}
      </p>
    </header>
  )
}

/** The note, and for administrators the form to change it, the name and the attributes. */
function DeviceNotes({ id, device, range }: { id: string; device: { value: Device | undefined }; range: TimeRange }) {
  const editing = useSignal(false)
  const edit = useRef<HTMLButtonElement>(null)
  const wasOpen = useRef(false)
  useEffect(() => {
    if (wasOpen.current && !editing.value) edit.current?.focus()
    wasOpen.current = editing.value
  }, [editing.value])
  const known = device.value
  const who = session.value
  const mayEdit = known !== undefined && who.phase === 'in' && who.session.role === 'admin'
  if (known !== undefined && editing.value) {
    return (
      <DeviceEditor
        device={known}
        takesFocus
        onSaved={(saved) => {
          device.value = saved
        }}
        onClose={() => {
          editing.value = false
        }}
      />
    )
  }
  return (
    <div class="device-notes">
      {known !== undefined && known.note !== '' && <p class="device-note">{known.note}</p>}
      {mayEdit && (
        <button
          type="button"
          class="link"
          ref={edit}
          onClick={() => {
            editing.value = true
          }}
        >
          Edit name, note, attributes
        </button>
      )}
      <a class="link" href={exploreHref({ ...NO_VIEW, select: [selectorOf({ device: id })], range })}>
        Open in Explore
      </a>
    </div>
  )
}

const RETRY_MS = 3_000
const REFRESH_MS = 60_000

/** Name, note and attributes: asked again now and then, since others edit too, and soon where the hub was away. */
function useDevice(id: string): Signal<Device | undefined> {
  const device = useSignal<Device | undefined>(undefined)
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined
    let isGone = false
    const ask = async () => {
      let againMs = REFRESH_MS
      try {
        const found = await fetchDevice(id)
        // What was saved here meanwhile is newer than what was asked for before.
        if (!isGone && found.version >= (device.peek()?.version ?? 0)) device.value = found
      } catch (error) {
        if (isAway(error)) againMs = RETRY_MS
      }
      if (!isGone) timer = setTimeout(() => void ask(), againMs)
    }
    void ask()
    return () => {
      isGone = true
      clearTimeout(timer)
    }
  }, [id])
  return device
}
