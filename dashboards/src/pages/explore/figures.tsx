// The table under the charts: figures of each series over the time shown, exact, from the hub.
import { useSignal } from '@preact/signals'
import { seriesKey, type Value } from '@telltale/client'
import { useEffect } from 'preact/hooks'
import { type Figures, fetchFigures } from '../../api'
import type { Metric } from '../../chart/members'
import { hubNow } from '../../clock'
import { type TimeRange, windowOf } from '../../range'
import { failureText } from '../../rest'
import { valueText } from '../../words'
import { type Groups, selectsOf } from './groups'

const AGGREGATES = ['count', 'min', 'mean', 'max', 'first', 'last'] as const
/** Those of bools and texts. */
const OF_STATES = ['count', 'first', 'last'] as const
const AGAIN_MS = 5_000
const SHOWN = 200

interface FiguresProps {
  groups: Groups
  select: readonly string[]
  range: TimeRange
}

export function FiguresCard({ groups, select, range }: FiguresProps) {
  const questions = questionsOf(groups, select)
  const rows = useSignal<readonly Figures[]>([])
  const error = useSignal('')
  useEffect(() => {
    const stop = new AbortController()
    let timer: ReturnType<typeof setTimeout> | undefined
    const load = async () => {
      try {
        const { from, to } = windowOf(range, hubNow())
        const answers = questions.map((question) => fetchFigures({ ...question, from, to }, stop.signal))
        rows.value = (await Promise.all(answers)).flat()
        error.value = ''
      } catch (caught) {
        if (stop.signal.aborted) return
        error.value = failureText(caught, 'The figures could not be read.')
      }
      if (range.kind !== 'fixed' && !stop.signal.aborted) timer = setTimeout(() => void load(), AGAIN_MS)
    }
    void load()
    return () => {
      stop.abort()
      clearTimeout(timer)
    }
  }, [JSON.stringify([questions, range])])
  return (
    <section class="card table-card" aria-label="Figures">
      <h2>Over this time</h2>
      {error.value !== '' && <p class="card-error">{error.value}</p>}
      {rows.value.length === 0 && error.value === '' && <p class="none-here">No reading in this time.</p>}
      {rows.value.length > 0 && <Table rows={rows.value.slice(0, SHOWN)} />}
      {rows.value.length > SHOWN && (
        <p class="none-here">
          The first {SHOWN} of {rows.value.length} series are shown.
        </p>
      )}
    </section>
  )
}

/** Numbers and states have different figures, so each is asked for its own. */
function questionsOf(groups: Groups, typed: readonly string[]) {
  const members = (metrics: readonly Metric[]) => metrics.flatMap((metric) => metric.members)
  const [numbers, states] = [members(groups.lines), members(groups.states)]
  const questions = []
  if (numbers.length > 0) questions.push({ select: selectsOf(numbers, typed), agg: AGGREGATES })
  if (states.length > 0) questions.push({ select: selectsOf(states, typed), agg: OF_STATES })
  return questions
}

function Table({ rows }: { rows: readonly Figures[] }) {
  return (
    <div class="scroll">
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
    </div>
  )
}

function cell(value: Value | undefined, unit: string): string {
  return value === undefined ? '' : valueText(value, unit)
}
