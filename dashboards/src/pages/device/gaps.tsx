// When a device was silent within the time shown: a list that is asked for when somebody opens it.
import { useSignal } from '@preact/signals'
import { selectorOf, seriesKey } from '@telltale/client'
import { fetchHistory } from '../../api'
import { gapsOf, type Silence, silences } from '../../chart/gaps'
import type { Gap } from '../../chart/lines'
import type { Metric } from '../../chart/members'
import { hubNow } from '../../clock'
import { Scroll } from '../../parts/scroll'
import { type TimeRange, windowOf } from '../../range'
import { useAsked } from '../../use-asked'
import { closeMoment, duration, moment, shortDuration } from '../../words'

interface GapsProps {
  id: string
  /** States and texts come when something happens: they have no silences. */
  metrics: readonly Metric[]
  range: TimeRange
}

/** Points of one series, and of all of them together. */
const POINTS_MOST = 1_000
const POINTS_LEAST = 100
const POINTS_ALL = 60_000
const AGAIN_MS = 10_000
const SHOWN = 100
const SHORT_MS = 10 * 60_000

export function DeviceGaps({ id, metrics, range }: GapsProps) {
  const open = useSignal(false)
  return (
    <details
      class="gaps"
      onToggle={(event) => {
        open.value = event.currentTarget.open
      }}
    >
      <summary>Gaps in this time</summary>
      {open.value && <GapList id={id} metrics={metrics} range={range} />}
    </details>
  )
}

interface Found {
  rows: readonly Silence[]
  column: number
}

function GapList({ id, metrics, range }: GapsProps) {
  const found = useSignal<Found | undefined>(undefined)
  const names = new Map(
    metrics.flatMap((one) => one.members.map((member) => [member.key, nameOf(one, member)] as const)),
  )
  const error = useAsked({
    range,
    of: [id, JSON.stringify([...names])],
    againMs: AGAIN_MS,
    otherwise: 'The gaps could not be read.',
    load: async (signal) => {
      found.value = await find(id, names, range, signal)
    },
  })
  if (error.value !== '') return <p class="card-error">{error.value}</p>
  if (found.value === undefined) return <p class="none-here">Looking …</p>
  return <Rows {...found.value} all={names.size} />
}

function nameOf({ metric }: Metric, { label }: { label: string }): string {
  return label === '' ? metric : `${metric} ${label}`
}

async function find(
  id: string,
  names: ReadonlyMap<string, string>,
  range: TimeRange,
  signal: AbortSignal,
): Promise<Found> {
  const now = hubNow()
  const { from, to } = windowOf(range, now)
  const most = Math.floor(POINTS_ALL / Math.max(1, names.size))
  const points = Math.max(POINTS_LEAST, Math.min(POINTS_MOST, most))
  const column = (to - from) / points
  if (from >= now) return { rows: [], column }
  // One that the answer does not name had no reading at all.
  const nothing = { from, to: Math.min(to, now), ...(to >= now ? { open: true } : {}) }
  const gaps = new Map<string, readonly Gap[]>([...names.values()].map((name) => [name, [nothing]]))
  for (const one of await fetchHistory({ select: [selectorOf({ device: id })], from, to, points }, signal)) {
    const name = names.get(seriesKey(one))
    if (name === undefined) continue
    const line = { times: one.points.map((point) => point[0]), values: one.points.map(() => 0) }
    gaps.set(name, gapsOf(line, column, from, to, now))
  }
  return { rows: silences(gaps, column), column }
}

function Rows({ rows, column, all }: Found & { all: number }) {
  if (rows.length === 0) return <p class="none-here">None that is longer than a few readings.</p>
  return (
    <>
      <Scroll name="Table of gaps">
        <table>
          <thead>
            <tr>
              <th scope="col">From</th>
              <th scope="col">To</th>
              <th scope="col" class="num">
                Lasted
              </th>
              <th scope="col">No readings of</th>
              <th scope="col">Reason</th>
            </tr>
          </thead>
          <tbody>
            {rows.slice(0, SHOWN).map((row) => (
              <GapRow key={`${row.from} ${row.of[0]}`} row={row} all={all} />
            ))}
          </tbody>
        </table>
      </Scroll>
      <p class="none-here">
        {rows.length > SHOWN && `The newest ${SHOWN} of ${rows.length} are shown. `}
        To the nearest {shortDuration(Math.max(1_000, column))}.
      </p>
    </>
  )
}

function GapRow({ row, all }: { row: Silence; all: number }) {
  const now = hubNow()
  // Of a short one both ends are in the same minute.
  const told = row.to - row.from < SHORT_MS ? closeMoment : moment
  return (
    <tr>
      <td>{told(row.from, now)}</td>
      <td>{row.open === true ? 'lasts on' : told(row.to, now)}</td>
      <td class="num">{duration(row.to - row.from)}</td>
      <td class="why">{row.of.length === all ? 'all' : row.of.join(', ')}</td>
      <td>not told</td>
    </tr>
  )
}
