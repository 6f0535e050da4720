// The table under the charts: figures of each series over the time shown, exact, from the hub.
import { useSignal } from '@preact/signals'
import { seriesKey, type Value } from '@telltale/client'
import { useMemo } from 'preact/hooks'
import { type Figures, fetchFigures } from '../../api'
import type { Metric } from '../../chart/members'
import type { Ask } from '../../chart/question'
import { shownFactor, shownUnit } from '../../chart/shown'
import { hubNow } from '../../clock'
import { Scroll } from '../../parts/scroll'
import { type TimeRange, windowOf } from '../../range'
import { useAsked } from '../../use-asked'
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
  isExtra?: boolean
}

interface FiguresProps {
  groups: Groups
  range: TimeRange
  /** What the charts show, if it is none of the usual. */
  agg?: string | undefined
}

export function FiguresCard({ groups, range, agg }: FiguresProps) {
  const extra = agg === undefined || (AGGREGATES as readonly string[]).includes(agg) ? [] : [agg]
  const names = [...AGGREGATES, ...extra]
  const questions = useMemo(() => [...questionsOf(groups), ...extraQuestions(groups, extra)], [groups, extra.join()])
  const rows = useSignal<readonly Figures[] | undefined>(undefined)
  const error = useAsked({
    range,
    of: [questions],
    againMs: AGAIN_MS,
    otherwise: 'The figures could not be read.',
    load: async (signal) => {
      const { from, to } = windowOf(range, hubNow())
      const ask = (question: Question) => fetchFigures({ ...question, from, to }, signal)
      const [main, others] = [questions.filter(isMain), questions.filter((question) => !isMain(question))]
      const known = await rowsOf(main, ask)
      try {
        rows.value = [...(await rowsOf(others, ask, known)).values()]
      } catch (caught) {
        // What takes every reading may be refused; the rest stands.
        rows.value = [...known.values()]
        throw caught
      }
    },
  })
  const found = rows.value ?? []
  return (
    <section class="card table-card" aria-label="Figures">
      <h2>Over this time</h2>
      {error.value !== '' && <p class="card-error">{error.value}</p>}
      {rows.value === undefined && error.value === '' && <p class="none-here">Looking …</p>}
      {rows.value?.length === 0 && error.value === '' && <p class="none-here">No reading in this time.</p>}
      {found.length > 0 && <Table rows={found.slice(0, SHOWN)} names={names} />}
      {found.length > SHOWN && (
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

/** What the charts show beside the usual: a question of its own. */
function extraQuestions(groups: Groups, agg: readonly string[]): Question[] {
  return agg.length === 0 ? [] : selectGroups(membersOf(groups.lines)).map((select) => ({ select, agg, isExtra: true }))
}

function isMain({ isExtra }: Question): boolean {
  return isExtra !== true
}

/** One question after the other, until there are more rows than are shown. A series that two of them name is one row. */
async function rowsOf(
  questions: readonly Question[],
  ask: (question: Question) => Promise<Figures[]>,
  known: ReadonlyMap<string, Figures> = new Map(),
): Promise<Map<string, Figures>> {
  const rows = new Map(known)
  for (const question of questions) {
    for (const row of await ask(question)) {
      const key = seriesKey(row)
      const before = rows.get(key)?.figures ?? []
      rows.set(key, { ...row, figures: new Map([...before, ...row.figures]) })
    }
    if (rows.size > SHOWN) break
  }
  return rows
}

function membersOf(metrics: readonly Metric[]) {
  return metrics.flatMap((metric) => metric.members)
}

function countOf({ lines, states }: Groups): number {
  return membersOf(lines).length + membersOf(states).length
}

function Table({ rows, names }: { rows: readonly Figures[]; names: readonly string[] }) {
  return (
    <Scroll name="Table of figures">
      <table>
        <thead>
          <tr>
            <th scope="col">Series</th>
            {names.map((name) => (
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
              {names.map((name) => (
                <td class="num" key={name}>
                  {cell(row.figures.get(name), row.unit, name)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </Scroll>
  )
}

function askOf(agg: string): Ask {
  return { select: [], buckets: { every: '', agg, tz: '' } }
}

function cell(value: Value | undefined, of: string, agg: string): string {
  if (value === undefined) return ''
  const shown = typeof value === 'number' ? value * shownFactor(of, agg) : value
  return valueText(shown, shownUnit({ kind: 'gauge', unit: of }, askOf(agg)))
}
