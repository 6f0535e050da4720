// A chart or timeline for each metric of a device, those of one unit together, and what they leave out: the gaps.
import { selectorOf } from '@telltale/client'
import { useMemo } from 'preact/hooks'
import { isState, type WidgetProps } from '../../chart/held'
import { hiddenOf, hiddenText, toggled } from '../../chart/hidden'
import { LineCard, type LineCardProps } from '../../chart/line-card'
import { byUnit, type Metric } from '../../chart/members'
import type { Ask } from '../../chart/question'
import { StatesCard } from '../../chart/states'
import type { Zooming } from '../../chart/use-zooms'
import { DeviceGaps } from './gaps'

const FILTER_FROM = 9

interface CardsProps {
  id: string
  metrics: readonly Metric[]
  widgets: Omit<WidgetProps, 'metric' | 'ask'>
  zooming: Zooming
  typed: string
  onTyped(typed: string): void
  /** The lines that are switched off, as the link says it. */
  off: string
  onOff(off: string): void
}

export function Cards({ id, metrics, widgets, zooming, typed, onTyped, off, onOff }: CardsProps) {
  const wanted = typed.toLowerCase()
  const shown = metrics.filter(({ metric }) => metric.toLowerCase().includes(wanted))
  const states = shown.filter((metric) => isState(metric, widgets))
  const lines = shown.filter((metric) => !states.includes(metric))
  const { onZoom, onUndo } = zooming
  const hidden = useMemo(() => hiddenOf(off), [off])
  const onToggle = (key: string) => {
    const known = metrics.flatMap(({ members }) => members.map((member) => member.key))
    onOff(hiddenText(toggled(hidden, key, known)))
  }
  const askOf = ({ metric }: Metric): Ask => ({ select: [selectorOf({ device: id, metric })] })
  return (
    <>
      {(metrics.length >= FILTER_FROM || typed !== '') && (
        <MetricFilter count={metrics.length} typed={typed} onTyped={onTyped} />
      )}
      {states.length > 0 && <StatesCard metrics={states} askOf={askOf} {...{ ...widgets, onZoom, onUndo }} />}
      <Units {...{ id, widgets, zooming, hidden, onToggle, askOf }} metrics={lines} />
      {lines.length > 0 && <DeviceGaps id={id} metrics={lines} range={widgets.range} />}
      {shown.length === 0 && metrics.length > 0 && <p class="none">No metric matches “{typed}”.</p>}
    </>
  )
}

function MetricFilter({ count, typed, onTyped }: { count: number; typed: string; onTyped(typed: string): void }) {
  return (
    <input
      type="search"
      class="metric-filter"
      placeholder={`Filter ${count} metrics`}
      aria-label="Filter metrics"
      value={typed}
      onInput={(event) => onTyped(event.currentTarget.value)}
    />
  )
}

type UnitsProps = Pick<CardsProps, 'id' | 'metrics' | 'widgets' | 'zooming'> &
  Pick<LineCardProps, 'hidden' | 'onToggle'> & { askOf(metric: Metric): Ask }

function Units({ id, metrics, widgets, zooming, askOf, ...switches }: UnitsProps) {
  const units = byUnit(metrics)
  return (
    <>
      {units.map(({ unit, metrics }) => (
        <section
          key={unit}
          class={units.length > 1 ? 'unit of-several' : 'unit'}
          aria-label={unit === '' ? 'Charts' : `Charts in ${unit}`}
        >
          <h2 class={unit === '' ? 'visually-hidden' : ''}>{unit === '' ? 'Charts' : unit}</h2>
          <div class="cards">
            {metrics.map((metric) => (
              <LineCard
                key={metric.metric}
                syncKey={id}
                ask={askOf(metric)}
                {...{ ...widgets, metric, ...zooming, ...switches }}
              />
            ))}
          </div>
        </section>
      ))}
    </>
  )
}
