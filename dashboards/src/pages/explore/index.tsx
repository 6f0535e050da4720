// Any series beside any other: selectors, one axis or two, buckets and aggregates, the same time a day or a week before, figures
// and downloads. The address holds the whole view.
import { useSignal } from '@preact/signals'
import { useMemo } from 'preact/hooks'
import type { How } from '../../address'
import { described, useCharted } from '../../chart/charted'
import { isState, type WidgetProps } from '../../chart/held'
import { hiddenOf, hiddenText, toggled } from '../../chart/hidden'
import { LineCard } from '../../chart/line-card'
import { drawn } from '../../chart/members'
import type { Ask } from '../../chart/question'
import { StatesCard } from '../../chart/states'
import { useTrim } from '../../chart/use-trim'
import { useZooms, type Zooming } from '../../chart/use-zooms'
import { RangeBar } from '../../parts/range-bar'
import { goTo } from '../../route'
import { useTitle } from '../../title'
import { zone } from '../../zone'
import { useZones } from '../zones'
import { Choices } from './choices'
import { bucketsOf, Downloads } from './downloads'
import { FiguresCard } from './figures'
import { type Groups, groupsOf, paired, selectsOf } from './groups'
import { SelectField } from './select-field'
import { COMPARES, compareDays, exploreHref, parseView, type View } from './view'

export function ExplorePage({ query }: { query: URLSearchParams }) {
  const view = parseView(query)
  useTitle(view.select.length === 0 ? 'Explore' : view.select.join(', '))
  // A zoom or another choice of series is a step that the back button undoes; moving about is not.
  const set = (part: Partial<View>, how: How = 'choice') => goTo(exploreHref({ ...view, ...part }), how)
  const zones = useSignal<readonly string[]>([])
  const zooming = useZooms(view.range, (range, how) => set({ range }, how))
  return (
    <main class="explore">
      <h1>Explore</h1>
      <Selectors select={view.select} onSelect={(select) => set({ select }, 'step')} />
      <RangeBar range={view.range} zones={zones.value} {...zooming} />
      <Choices view={view} onSet={set} />
      {view.select.length === 0 ? (
        <p class="none">
          Name the series to look at, such as <code>*/temperature</code> or <code>greenhouse-*/*</code>.
        </p>
      ) : (
        <Found view={view} zooming={zooming} zones={zones} onOff={(off) => set({ off })} />
      )}
    </main>
  )
}

function Selectors({ select, onSelect }: { select: readonly string[]; onSelect(select: string[]): void }) {
  const put = (i: number, text: string) => {
    const next = select.map((one, at) => (at === i ? text : one))
    if (i === select.length && text !== '') next.push(text)
    const kept = [...new Set(next.filter((one) => one !== ''))]
    if (kept.join('\n') !== select.join('\n')) onSelect(kept)
  }
  return (
    <div class="selectors">
      {[...select, ''].map((value, i) => (
        <SelectField
          // By place: a field keeps the focus when what was typed in it is taken.
          key={i}
          value={value}
          label={value === '' ? 'Add series' : `Series ${i + 1}`}
          onChange={(text) => put(i, text)}
          {...(value === '' ? {} : { onRemove: () => put(i, '') })}
        />
      ))}
    </div>
  )
}

interface FoundProps {
  view: View
  zooming: Zooming
  /** Those of the sites, to be chosen from. */
  zones: { value: readonly string[] }
  onOff(off: string): void
}

function Found({ view, zooming, zones, onOff }: FoundProps) {
  const { select, range } = view
  const { watched, last, olders } = useCharted(select)
  useTrim(watched, olders, range)
  useZones(last.values.value, (found) => {
    zones.value = found
  })
  const shape = watched.shape.value
  const held = { watch: watched, last: last.values.value ?? new Map() }
  const groups = useMemo(
    () => groupsOf(described(watched, held.last), (metric) => isState(metric, held)),
    [watched, shape, last.values.value],
  )
  const refused = last.error.value === '' ? watched.refused.value : last.error.value
  const note = refused !== '' && <p class="note">{refused}</p>
  if (last.values.value === undefined) return note || <p class="none late">Asking the hub</p>
  if (groups.lines.length + groups.states.length === 0) return note || <p class="none">No series matches.</p>
  const widgets = { ...held, range, olders }
  const { onZoom, onUndo } = zooming
  return (
    <>
      {note}
      {groups.states.length > 0 && (
        <StatesCard
          metrics={groups.states}
          askOf={({ members }) => ({ select: selectsOf(members) })}
          {...{ ...widgets, onZoom, onUndo }}
        />
      )}
      <Charts {...{ view, groups, widgets, zooming, onOff }} />
      <FiguresCard groups={groups} range={range} agg={view.every === '' ? undefined : view.agg} />
      <Downloads view={view} groups={groups} />
    </>
  )
}

interface ChartsProps extends Pick<FoundProps, 'view' | 'zooming' | 'onOff'> {
  groups: Groups
  widgets: Omit<WidgetProps, 'metric' | 'ask'>
}

function Charts({ view, groups, widgets, zooming, onOff }: ChartsProps) {
  const charts = view.axes === '' ? groups.lines : paired(groups.lines)
  const hidden = useMemo(() => hiddenOf(view.off), [view.off])
  const onToggle = (key: string) => {
    const known = groups.lines.flatMap(({ members }) => members.map((member) => member.key))
    onOff(hiddenText(toggled(hidden, key, known)))
  }
  return (
    <>
      {view.axes !== '' && groups.lines.length > 2 && (
        <p class="hint">A chart has two axes. {groups.lines.length} units were found, so there are several charts.</p>
      )}
      <h2 class="visually-hidden">Charts</h2>
      <div class="cards wide">
        {charts.map((metric) => (
          <LineCard
            key={`${metric.unit} ${metric.kind}`}
            {...{ metric, ...widgets, ...asksOf(view, selectsOf(drawn(metric))), ...zooming, hidden, onToggle }}
            syncKey="explore"
          />
        ))}
      </div>
    </>
  )
}

/** More bands than these hide each other. */
const BANDS_MOST = 4

function asksOf(view: View, select: readonly string[]): { ask: Ask; before?: { ask: Ask; name: string } } {
  const buckets = bucketsOf(view)
  const plain: Ask = { select, ...(buckets === undefined ? {} : { buckets }) }
  const ask: Ask = buckets?.agg === 'mean' && select.length <= BANDS_MOST ? { ...plain, band: true } : plain
  const days = compareDays(view.compare)
  if (days === 0) return { ask }
  return { ask, before: { ask: { ...plain, earlier: { days, zone: zone.value } }, name: COMPARES[view.compare] } }
}
