// What pages share: figures with small lines, states, connection, choices, lists and commands.
import { useSignal } from '@preact/signals'
import type { ConnectionState } from '@telltale/client'
import { DeviceRow } from '../src/pages/devices/row'
import { FigureCard } from '../src/pages/status'
import { RefusalsCard } from '../src/pages/status/refusals'
import { Command } from '../src/parts/command'
import { Pill } from '../src/parts/connection'
import { DeviceEditor } from '../src/parts/device-edit'
import { RangeBar } from '../src/parts/range-bar'
import { Spark } from '../src/parts/spark'
import { StateDot } from '../src/parts/state'
import { type View, VirtualList } from '../src/parts/virtual-list'
import type { TimeRange } from '../src/range'
import { LINE_COLOURS } from '../src/theme'
import { shown } from './held'
import { boiler, HOUR, MINUTE, NOW, outdoor, power, readings, wave } from './plant'
import type { Specimen } from './specimens'

function Colours() {
  return (
    <div class="row-of">
      {Array.from({ length: LINE_COLOURS }, (_, i) => (
        <span key={i} class="colour">
          <i class={`swatch line-${i + 1}`} />
          line {i + 1}
        </span>
      ))}
    </div>
  )
}

function Stats() {
  const minutes = Array.from({ length: 150 }, (_, i) => i)
  return (
    <div class="figures">
      <FigureCard
        name="Readings stored"
        figure="48.2 k/s"
        trend={minutes.map((i) => 48_000 + 6_000 * wave(i * MINUTE, 40))}
        more="3.1 G since the start, 12 duplicates"
      />
      <FigureCard
        name="Commit to disk"
        figure="1.84 ms"
        trend={minutes.map((i) => (i > 60 && i < 80 ? undefined : 2 + wave(i * MINUTE, 25)))}
        more="nothing was committed for a while: the line is broken"
      />
      <FigureCard name="Senders" figure="12" more="a figure without a line" />
    </div>
  )
}

function Sparks() {
  const hour = readings(outdoor, NOW - HOUR, NOW, 30_000) as [number, number][]
  const broken = hour.filter(([time]) => time < NOW - 35 * MINUTE || time > NOW - 20 * MINUTE)
  const flat = hour.map(([time]) => [time, 5] as [number, number])
  const window = { from: NOW - HOUR, to: NOW }
  return (
    <div class="row-of">
      <Spark {...window} points={hour} label="A line" />
      <Spark {...window} points={broken} label="A line with a gap" />
      <Spark {...window} points={flat} label="A steady line" />
      <Spark {...window} points={[]} label="No reading" />
    </div>
  )
}

function States() {
  return (
    <div class="row-of">
      {(['online', 'silent', 'offline', 'unknown'] as const).map((state) => (
        <StateDot key={state} state={state} word />
      ))}
    </div>
  )
}

const BROKE = { code: 1006, reason: '' }
const LIVE = {
  phase: 'live',
  attempt: 0,
  since: 0,
  heardAt: 0,
  askedAt: undefined,
  doubted: false,
  closing: undefined,
} as const
const CONNECTIONS: readonly ConnectionState[] = [
  { phase: 'idle' },
  { phase: 'connecting', attempt: 0, since: 0, cause: undefined },
  LIVE,
  { ...LIVE, heardAt: -21_000, askedAt: -6_000, doubted: true },
  { ...LIVE, closing: { type: 'closing', code: 1001, reason: 'the hub stops' } },
  { phase: 'waiting', attempt: 2, until: 7_000, cause: BROKE },
  { phase: 'connecting', attempt: 3, since: 0, cause: BROKE },
  { phase: 'ended', cause: { code: 4401, reason: 'token revoked' } },
]

function Connections() {
  return (
    <div class="row-of">
      {CONNECTIONS.map((state, i) => (
        <Pill key={i} state={state} now={0} />
      ))}
    </div>
  )
}

function Ranges() {
  const ranges: readonly TimeRange[] = [
    { kind: 'last', span: '15m' },
    { kind: 'calendar', name: 'yesterday' },
    { kind: 'fixed', from: NOW - 3 * HOUR, to: NOW - 2 * HOUR },
  ]
  return (
    <>
      {ranges.map((range, i) => (
        <RangeBar key={i} range={range} zones={['Europe/Berlin']} onRange={() => undefined} />
      ))}
    </>
  )
}

const ROWS = 2_000
const rowSeries = shown([boiler, power]).watch.sub.series

function List() {
  const view = useSignal<View>({ first: 0, end: 0 })
  const { first, end } = view.value
  const rows = Array.from({ length: end - first }, (_, i) => first + i)
  return (
    <VirtualList class="rows" count={ROWS} view={view}>
      {rows.map((place) => (
        <DeviceRow key={place} place={place} count={ROWS} row={rowOf(place)} />
      ))}
    </VirtualList>
  )
}

function rowOf(place: number) {
  const state = (['online', 'online', 'online', 'silent', 'offline', 'unknown'] as const)[place % 6] ?? 'online'
  return {
    id: `pump-${place + 1}`,
    name: place % 4 === 0 ? `Pump ${place + 1}, north hall` : `pump-${place + 1}`,
    state,
    seen: state === 'unknown' ? undefined : NOW - (state === 'online' ? 2_000 : 20 * MINUTE),
    via: 'gateway-1',
    attributes: { site: place % 2 === 0 ? 'Harbour' : 'Mill' },
    values: state === 'unknown' ? [] : [...rowSeries.values()],
    more: place % 6,
  }
}

function Edit() {
  const device = {
    device: 'boiler',
    name: 'Boiler 1',
    state: 'online' as const,
    note: 'Serviced in May.',
    version: 3,
    attributes: { site: 'Harbour', tz: 'Europe/Berlin' },
    series: 5,
  }
  return <DeviceEditor device={device} onSaved={() => undefined} onClose={() => undefined} />
}

function Refusals() {
  const refusals = [
    ['time_ahead', 'the time is 14 min ahead of the hub'],
    ['type_changed', 'this series is a number; text was sent'],
  ].map(([code = '', message = ''], i) => ({
    time: NOW - i * MINUTE,
    token: 3,
    tokenName: 'roof gateway',
    device: 'boiler',
    metric: 'temperature',
    code,
    message,
  }))
  return <RefusalsCard refusals={refusals} byCode={{ time_ahead: 1204, type_changed: 3 }} />
}

function Buttons() {
  return (
    <div class="row-of">
      <button type="button" class="primary">
        Primary
      </button>
      <button type="button" class="primary" disabled>
        Not now
      </button>
      <button type="button" class="quiet">
        Quiet
      </button>
      <button type="button" class="link">
        Link
      </button>
      <button type="button" class="link danger">
        Dangerous
      </button>
    </div>
  )
}

export const PARTS: readonly Specimen[] = [
  {
    name: 'colours',
    title: 'Colours of lines',
    says: 'Okabe and Ito: the colour-blind can tell them apart.',
    show: Colours,
  },
  { name: 'stats', title: 'Figures with a small line', show: Stats },
  {
    name: 'sparks',
    title: 'Sparks',
    says: 'The last hour of a value: as it is, with a gap, steady, without a reading.',
    show: Sparks,
  },
  { name: 'state', title: 'States of a device', show: States },
  { name: 'connection', title: 'The state of the connection', says: 'In the head of each page.', show: Connections },
  { name: 'range', title: 'Choice of the time', show: Ranges },
  { name: 'buttons', title: 'Buttons', show: Buttons },
  {
    name: 'command',
    title: 'A command to copy',
    show: () => <Command text="telltale token create --role agent > agent.token" />,
  },
  { name: 'edit', title: 'Editing a device', show: Edit },
  { name: 'refusals', title: 'Refused readings', show: Refusals },
  { name: 'list', title: `A list of ${ROWS} devices`, says: 'Only the rows in view are there.', show: List },
]
