// Any series beside any other: selectors, buckets and aggregates, the same time a day or a week before, figures and downloads.
// The address holds the whole view.
import { useMemo } from 'preact/hooks'
import { historyParams } from '../../api'
import { described, useCharted } from '../../chart/charted'
import { isState } from '../../chart/held'
import { LineCard } from '../../chart/line-card'
import { drawn } from '../../chart/members'
import type { Ask } from '../../chart/older'
import { StatesCard } from '../../chart/states'
import { useTrim } from '../../chart/use-trim'
import { hubNow } from '../../clock'
import { RangeBar } from '../../parts/range-bar'
import { changed, type TimeRange, windowOf } from '../../range'
import { pushHash, replaceHash, shownQuery } from '../../route'
import { zone, zoneName } from '../../zone'
import { FiguresCard } from './figures'
import { groupsOf, selectsOf } from './groups'
import { SelectField } from './select-field'
import { AGGREGATES, COMPARES, type Compare, compareDays, EVERY, exploreHref, parseView, type View } from './view'

export function ExplorePage({ query }: { query: URLSearchParams }) {
  const view = parseView(query)
  const set = (part: Partial<View>, asStep = false) => {
    const href = exploreHref({ ...view, ...part })
    // A zoom or another choice of series is a step that the back button undoes; moving about is not.
    if (asStep) pushHash(href)
    else replaceHash(href)
  }
  return (
    <main class="explore">
      <h1>Explore</h1>
      <Selectors select={view.select} onSelect={(select) => set({ select }, true)} />
      <RangeBar range={view.range} onRange={(range) => set({ range })} />
      <Choices view={view} onSet={set} />
      {view.select.length === 0 ? (
        <p class="none">
          Name the series to look at, such as <code>*/temperature</code> or <code>greenhouse-*/*</code>.
        </p>
      ) : (
        <Found key={view.select.join('\n')} view={view} onRange={(range, asStep) => set({ range }, asStep)} />
      )}
    </main>
  )
}

function Selectors({ select, onSelect }: { select: readonly string[]; onSelect(select: string[]): void }) {
  const put = (i: number, text: string) => {
    const next = select.map((one, at) => (at === i ? text : one))
    if (i === select.length && text !== '') next.push(text)
    const kept = next.filter((one) => one !== '')
    if (kept.join('\n') !== select.join('\n')) onSelect(kept)
  }
  return (
    <div class="selectors">
      {[...select, ''].map((value, i) => (
        <SelectField
          key={value === '' ? `new ${select.length}` : value}
          value={value}
          label={value === '' ? 'Add series' : `Series ${i + 1}`}
          onChange={(text) => put(i, text)}
          {...(value === '' ? {} : { onRemove: () => put(i, '') })}
        />
      ))}
    </div>
  )
}

function Choices({ view, onSet }: { view: View; onSet(part: Partial<View>): void }) {
  return (
    <div class="choices">
      <Choice
        name="Buckets"
        value={view.every}
        options={[['', 'as fine as can be seen'], ...EVERY.map((every) => [every, every] as const)]}
        onChange={(every) => onSet({ every })}
      />
      {view.every !== '' && (
        <Choice
          name="Each shows"
          value={view.agg}
          options={AGGREGATES.map((agg) => [agg, agg] as const)}
          onChange={(agg) => onSet({ agg })}
        />
      )}
      <Choice
        name="Compare with"
        value={view.compare}
        options={Object.entries(COMPARES)}
        onChange={(compare) => onSet({ compare: compare as Compare })}
      />
      {view.select.length > 0 && <Downloads view={view} />}
    </div>
  )
}

interface ChoiceProps {
  name: string
  value: string
  options: readonly (readonly [string, string])[]
  onChange(value: string): void
}

function Choice({ name, value, options, onChange }: ChoiceProps) {
  return (
    <label>
      {name}
      <select value={value} onChange={(event) => onChange(event.currentTarget.value)}>
        {options.map(([key, text]) => (
          <option key={key} value={key}>
            {text}
          </option>
        ))}
      </select>
    </label>
  )
}

const FORMATS = [
  ['csv', 'CSV'],
  ['ndjson', 'NDJSON'],
  ['parquet', 'Parquet'],
] as const

/** Every reading of the time shown, or its buckets, as the hub writes them. */
function Downloads({ view }: { view: View }) {
  const href = (format: string) => {
    const { from, to } = windowOf(view.range, hubNow())
    const buckets = bucketsOf(view)
    const query = historyParams({ select: view.select, from, to, ...(buckets === undefined ? {} : { buckets }) })
    query.set('format', format)
    // Parquet has a type for times.
    if (format !== 'parquet') query.set('time', 'rfc3339')
    return `api/v1/history?${query}`
  }
  return (
    <p class="downloads">
      Download{' '}
      {FORMATS.map(([format, name]) => (
        <a
          key={format}
          class="link"
          href={href(format)}
          download={`telltale.${format}`}
          onClick={(event) => {
            // The time shown may have moved on since this was drawn.
            event.currentTarget.href = href(format)
          }}
        >
          {name}
        </a>
      ))}
    </p>
  )
}

function bucketsOf(view: View): Ask['buckets'] {
  return view.every === '' ? undefined : { every: view.every, agg: view.agg, tz: zoneName() }
}

interface FoundProps {
  view: View
  onRange(range: TimeRange, asStep: boolean): void
}

function Found({ view, onRange }: FoundProps) {
  const { select, range } = view
  const { watched, last, olders } = useCharted(select)
  useTrim(watched, olders, range)
  const shape = watched.shape.value
  watched.version.value
  const held = { watch: watched, last: last.values.value ?? new Map() }
  const groups = useMemo(
    () => groupsOf(described(watched, held.last), (metric) => isState(metric, held)),
    [shape, last.values.value],
  )
  const refused = last.error.value === '' ? watched.refused.value : last.error.value
  const note = refused !== '' && <p class="note">{refused}</p>
  if (last.values.value === undefined) return note || null
  if (groups.lines.length + groups.states.length === 0) return note || <p class="none">No series matches.</p>
  const widgets = { ...held, range, olders }
  return (
    <>
      {note}
      {groups.states.length > 0 && (
        <StatesCard metrics={groups.states} askOf={({ members }) => ({ select: selectsOf(members) })} {...widgets} />
      )}
      <div class="cards wide">
        {groups.lines.map((metric) => (
          <LineCard
            key={`${metric.unit} ${metric.kind}`}
            {...{ metric, ...widgets, ...asksOf(view, selectsOf(drawn(metric.members))) }}
            syncKey="explore"
            onZoom={(from, to) => onRange({ kind: 'fixed', from, to }, true)}
            onMove={(change) => onRange(changed(shownQuery(), change, hubNow()), false)}
          />
        ))}
      </div>
      <FiguresCard groups={groups} range={range} />
    </>
  )
}

function asksOf(view: View, select: readonly string[]): { ask: Ask; before?: { ask: Ask; name: string } } {
  const buckets = bucketsOf(view)
  const ask: Ask = { select, ...(buckets === undefined ? {} : { buckets }) }
  const days = compareDays(view.compare)
  if (days === 0) return { ask }
  return { ask, before: { ask: { ...ask, earlier: { days, zone: zone.value } }, name: COMPARES[view.compare] } }
}
