// One device: who it is, how it stands, and a chart or timeline per metric, sliding with the live tail.
import { selectorOf } from '@telltale/client'
import { useMemo } from 'preact/hooks'
import type { LastValue } from '../../api'
import { described, useCharted } from '../../chart/charted'
import { metricsOf } from '../../chart/members'
import { useTrim } from '../../chart/use-trim'
import { useZooms } from '../../chart/use-zooms'
import { RangeBar } from '../../parts/range-bar'
import { parseRange, rangeQuery, type TimeRange } from '../../range'
import { deviceHref, goTo, queryText } from '../../route'
import { useTitle } from '../../title'
import { zonesOf } from '../zones'
import { Cards } from './cards'
import { DeviceHead } from './head'
import { DeviceNotes } from './notes'
import { useDevice } from './use-device'

const NOTHING: ReadonlyMap<string, LastValue> = new Map()

export function DevicePage({ id, query }: { id: string; query: URLSearchParams }) {
  const range = parseRange(query)
  const typed = query.get('q') ?? ''
  const off = query.get('off') ?? ''
  const device = useDevice(id)
  const { watched, last, olders } = useCharted([selectorOf({ device: id })])
  useTitle(device.value?.name || id)
  useTrim(watched, olders, range)

  const shape = watched.shape.value
  // Live alone is enough to begin with.
  const known = last.values.value ?? (shape > 0 ? NOTHING : undefined)
  const metrics = useMemo(() => metricsOf(described(watched, known ?? NOTHING)), [watched, shape, last.values.value])
  const hrefOf = (part: { range?: TimeRange; q?: string; off?: string }) => {
    const { range: next, ...named } = { range, q: typed, off, ...part }
    return deviceHref(id, queryText(named, rangeQuery(next)))
  }
  const zooming = useZooms(range, (next, how) => goTo(hrefOf({ range: next }), how))

  return (
    <main class="device">
      <DeviceHead id={id} device={device.value} watched={watched} />
      <DeviceNotes id={id} device={device} range={range} off={off} />
      <RangeBar range={range} zones={zonesOf(device.value)} {...zooming} />
      {last.error.value !== '' && <p class="note">{last.error.value}</p>}
      {watched.refused.value !== '' && <p class="note">{watched.refused.value}</p>}
      {last.values.value !== undefined && metrics.length === 0 && watched.sub.phase === 'live' && (
        <p class="none">No series of a device “{id}” is stored here.</p>
      )}
      {known === undefined && <p class="none late">Asking the hub</p>}
      {known !== undefined && (
        <Cards
          {...{ id, metrics, zooming, typed, off }}
          widgets={{ watch: watched, last: known, range, olders }}
          onTyped={(q) => goTo(hrefOf({ q }), 'move')}
          onOff={(next) => goTo(hrefOf({ off: next }), 'choice')}
        />
      )}
    </main>
  )
}
