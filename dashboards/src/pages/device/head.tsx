// Who a device is and how it stands: its name, state, last reading, gateway and attributes.
import type { Device } from '../../api'
import { hubNow, second } from '../../clock'
import type { Watch } from '../../live'
import { StateDot } from '../../parts/state'
import { ago, moment } from '../../words'

export function DeviceHead({ id, device, watched }: { id: string; device: Device | undefined; watched: Watch }) {
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
