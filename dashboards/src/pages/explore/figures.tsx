// The table under the charts: figures of each series over the time shown, exact, from the hub.
import { useSignal } from '@preact/signals'
import { seriesKey, type Value } from '@telltale/client'
import { useEffect, useMemo } from 'preact/hooks'
import { ADDRESS_PAUSE_MS } from '../../address'
import { type Figures, fetchFigures } from '../../api'
import type { Metric } from '../../chart/members'
import { hubNow } from '../../clock'
import { Scroll } from '../../parts/scroll'
import { type TimeRange, windowOf } from '../../range'
import { failureText } from '../../rest'
import { valueText } from '../../words'
import { type Groups, selectGroups } from './groups'

const AGGREGATES = ['count', 'min', 'mean', 'max', 'first', 'last'] as const
/** Those of bools and texts. */
const OF_STATES = ['count', 'first', 'last'] as const
const AGAIN_MS = 5_000
const SHOWN = 200

interface Question {
  select: readonly string[]
  agg: readonly string[]
}

interface FiguresProps {
  groups: Groups
  range: TimeRange
}

export function FiguresCard({ groups, range }: FiguresProps) {
  const questions = useMemo(() => questionsOf(groups), [groups])
  const rows = useSignal<readonly Figures[]>([])
  const error = useSignal('')
  useEffect(() => {
    const stop = new AbortController()
    let timer: ReturnType<typeof setTimeout> | undefined
    const load = async () => {
      try {
        const { from, to } = windowOf(range, hubNow())
        rows.value = await rowsOf(questions, (question) => fetchFigures({ ...question, from, to }, stop.signal))
        error.value = ''
      } catch (caught) {
        if (stop.signal.aborted) return
        error.value = failureText(caught, 'The figures could not be read.')
      }
      if (range.kind !== 'fixed' && !stop.signal.aborted) timer = setTimeout(() => void load(), AGAIN_MS)
    }
    // A window that follows the hand is asked for when it rests.
    timer = setTimeout(() => void load(), ADDRESS_PAUSE_MS)
    return () => {
      stop.abort()
      clearTimeout(timer)
    }
  }, [questions, JSON.stringify(range)])
  return (
    <section class="card table-card" aria-label="Figures">
      <h2>Over this time</h2>
      {error.value !== '' && <p class="card-error">{error.value}</p>}
      {rows.value.length === 0 && error.value === '' && <p class="none-here">No reading in this time.</p>}
      {rows.value.length > 0 && <Table rows={rows.value.slice(0, SHOWN)} />}
      {rows.value.length > SHOWN && (
        <p class="none-here">
          The first {SHOWN} of {countOf(groups)} series are shown.
        </p>
      )}
    </section>
  )
}

/** Numbers and states have different figures, so each is asked for its own. */
function questionsOf(groups: Groups): Question[] {
  const ask = (metrics: readonly Metric[], agg: readonly string[]) =>
    selectGroups(membersOf(metrics)).map((select) => ({ select, agg }))
  return [...ask(groups.lines, AGGREGATES), ...ask(groups.states, OF_STATES)]
}

/** One question after the other, until there are more rows than are shown. A series that two of them name is one row. */
async function rowsOf(questions: readonly Question[], ask: (question: Question) => Promise<Figures[]>) {
  const rows = new Map<string, Figures>()
  for (const question of questions) {
    for (const row of await ask(question)) rows.set(seriesKey(row), row)
    if (rows.size > SHOWN) break
  }
  return [...rows.values()]
}

function membersOf(metrics: readonly Metric[]) {
  return metrics.flatMap((metric) => metric.members)
}

function countOf({ lines, states }: Groups): number {
  return membersOf(lines).length + membersOf(states).length
}

function Table({ rows }: { rows: readonly Figures[] }) {
  return (
    <Scroll name="Table of figures">
      <table>
        <thead>
          <tr>
            <th scope="col">Series</th>
            {AGGREGATES.map((name) => (
              <th scope="col" class="num" key={name}>
                {name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr key={seriesKey(row)}>
              <th scope="row">
                {row.device}/{row.metric}{' '}
                <small>
                  {Object.entries(row.labels)
                    .map(([name, value]) => `${name}=${value}`)
                    .join(' ')}
                </small>
              </th>
              {AGGREGATES.map((name) => (
                <td class="num" key={name}>
                  {cell(row.figures.get(name), name === 'count' ? '' : row.unit)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </Scroll>
  )
}

function cell(value: Value | undefined, unit: string): string {
  return value === undefined ? '' : valueText(value, unit)
}
