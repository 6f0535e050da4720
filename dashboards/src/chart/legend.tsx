// The lines of a chart by name, with their values; a press hides one or shows it again.
import type { ChartLine, Metric } from './members'
import type { Readout } from './readout'

interface LegendProps {
  metric: Metric
  /** `before`: the value of an earlier time that is laid behind, under the crosshair. */
  rows: readonly (ChartLine & Readout & { before: string })[]
  hidden: ReadonlySet<string>
  onToggle(key: string): void
}

export function Legend({ metric, rows, hidden, onToggle }: LegendProps) {
  const all = metric.members.length + (metric.right?.members.length ?? 0)
  return (
    <ul class={metric.right === undefined ? 'legend' : 'legend on-two-axes'}>
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
              {before !== '' && <small> before {before}</small>}
            </span>
          </button>
        </li>
      ))}
      {all > rows.length && <li class="legend-more">{all - rows.length} more series are not drawn</li>}
    </ul>
  )
}
