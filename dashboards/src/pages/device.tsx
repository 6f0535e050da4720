// One device: who it is, how it stands, and a chart or timeline per metric, sliding with the live tail.
import { useSignal } from '@preact/signals'
import { selectorOf } from '@telltale/client'
import { useEffect, useMemo } from 'preact/hooks'
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
import { deviceHref, pushHash, replaceHash } from '../route'
import { session } from '../session'
import { ago, moment } from '../words'
import { DeviceGaps } from './device-gaps'
import { zonesOf } from './zones'

const FILTER_FROM = 9
const NOTHING: ReadonlyMap<string, LastValue> = new Map()

export function DevicePage({ id, query }: { id: string; query: URLSearchParams }) {
  const range = parseRange(query)
  const device = useSignal<Device | undefined>(undefined)
  const { watched, last, olders } = useCharted([selectorOf({ device: id })])
  useEffect(() => void load(id, device), [id])
  useTrim(watched, olders, range)

  const shape = watched.shape.value
  // Live alone is enough to begin with.
  const known = last.values.value ?? (shape > 0 ? NOTHING : undefined)
  const metrics = useMemo(() => metricsOf(described(watched, known ?? NOTHING)), [watched, shape, last.values.value])
  const zooming = useZooms(range, (next, asStep) => {
    const href = deviceHref(id, rangeQuery(next))
    if (asStep) pushHash(href)
    else replaceHash(href)
  })

  return (
    <main class="device">
      <DeviceHead id={id} device={device.value} watched={watched} />
      <DeviceNotes device={device} />
      <RangeBar range={range} zones={zonesOf(device.value)} {...zooming} />
      {last.error.value !== '' && <p class="note">{last.error.value}</p>}
      {watched.refused.value !== '' && <p class="note">{watched.refused.value}</p>}
      {last.values.value !== undefined && metrics.length === 0 && watched.sub.phase === 'live' && (
        <p class="none">No series of a device “{id}” is stored here.</p>
      )}
      {known !== undefined && <Cards {...{ id, metrics, watched, range, olders, zooming }} last={known} />}
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
}

function Cards({ id, metrics, watched, last, range, olders, zooming }: CardsProps) {
  const typed = useSignal('')
  const wanted = typed.value.toLowerCase()
  const shown = metrics.filter((m) => m.metric.toLowerCase().includes(wanted))
  const states = shown.filter((m) => isState(m, { watch: watched, last }))
  const lines = shown.filter((m) => !states.includes(m))
  const units = byUnit(lines)
  const askOf = ({ metric }: Metric) => ({ select: [selectorOf({ device: id, metric })] })
  return (
    <>
      {metrics.length >= FILTER_FROM && (
        <input
          type="search"
          class="metric-filter"
          placeholder={`Filter ${metrics.length} metrics`}
          aria-label="Filter metrics"
          value={typed.value}
          onInput={(event) => {
            typed.value = event.currentTarget.value
          }}
        />
      )}
      {states.length > 0 && <StatesCard metrics={states} askOf={askOf} {...{ watch: watched, last, range, olders }} />}
      {units.map(({ unit, metrics }) => (
        <section
          key={unit}
          class={units.length > 1 ? 'unit of-several' : 'unit'}
          aria-label={unit === '' ? 'Charts' : `Charts in ${unit}`}
        >
          {unit !== '' && <h2>{unit}</h2>}
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
      {shown.length === 0 && metrics.length > 0 && <p class="none">No metric matches “{typed.value}”.</p>}
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
function DeviceNotes({ device }: { device: { value: Device | undefined } }) {
  const editing = useSignal(false)
  const known = device.value
  if (known === undefined) return null
  const who = session.value
  const mayEdit = who.phase === 'in' && who.session.role === 'admin'
  if (editing.value) {
    return (
      <DeviceEditor
        device={known}
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
      {known.note !== '' && <p class="device-note">{known.note}</p>}
      {mayEdit && (
        <button
          type="button"
          class="link"
          onClick={() => {
            editing.value = true
          }}
        >
          Edit name, note, attributes
        </button>
      )}
    </div>
  )
}

async function load(id: string, device: { value: Device | undefined }): Promise<void> {
  device.value = await fetchDevice(id).catch(() => undefined)
}
