// The lines of a chart by name, with their values; a press hides one or shows it again.
import type { ChartLine, Metric } from './members'
import type { Readout } from './readout'

interface LegendProps {
  metric: Metric
  /** `before`: the value of an earlier time under the crosshair; undefined where none is laid behind. */
  rows: readonly (ChartLine & Readout & { before: string | undefined })[]
  hidden: ReadonlySet<string>
  onToggle(key: string): void
}

export function Legend({ metric, rows, hidden, onToggle }: LegendProps) {
  const all = metric.members.length + (metric.right?.members.length ?? 0)
  const isWide = metric.right !== undefined || rows.some(({ before }) => before !== undefined)
  return (
    <ul class={isWide ? 'legend of-long-rows' : 'legend'}>
      {rows.map(({ member, of, text, before }, i) => (
        <li key={member.key}>
          <button type="button" aria-pressed={!hidden.has(member.key)} onClick={() => onToggle(member.key)}>
            <i class={`swatch line-${(i % 8) + 1}`} />
            <span class="legend-label" title={member.label}>
              {member.label}
            </span>
            {metric.right !== undefined && <small>{of === metric ? 'left' : 'right'}</small>}
            <span class="legend-value">
              {text}
              {before !== undefined && before !== '' && <small> before {before}</small>}
            </span>
          </button>
        </li>
      ))}
      {all > rows.length && <li class="legend-more">{all - rows.length} more series are not drawn</li>}
    </ul>
  )
}
