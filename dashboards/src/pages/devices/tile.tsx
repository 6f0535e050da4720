// One device as a tile: its first value large with the line of the last hour, two more below.
import { hubNow } from '../../clock'
import { StateDot } from '../../parts/state'
import { deviceHref } from '../../route'
import { ago, moment, valueText } from '../../words'
import type { Row } from './list'
import { RowSpark, valueTitle, viaText } from './row'

const VALUES = 3

export function DeviceTile({ row, place, count }: { row: Row; place: number; count: number }) {
  const now = hubNow()
  const [first, ...others] = row.values.slice(0, VALUES)
  return (
    <li class={`tile is-${row.state}`} aria-posinset={place + 1} aria-setsize={count}>
      <a href={deviceHref(row.id)}>
        <span class="tile-head">
          <StateDot state={row.state} />
          <b>{row.name}</b>
          <time title={row.seen === undefined ? '' : moment(row.seen, now)}>
            {row.seen === undefined ? 'no reading yet' : ago(row.seen, now)}
          </time>
        </span>
        <small class="tile-where">{[row.attributes.site ?? '', viaText(row)].filter(Boolean).join(' · ')}</small>
        <span class="tile-first">
          <span class="value" title={first === undefined ? '' : valueTitle(first)}>
            <small>{first?.metric ?? ''}</small>
            <b>{first?.last === undefined ? '–' : valueText(first.last[1], first.unit, first.decimals)}</b>
          </span>
          <RowSpark series={first} />
        </span>
        <span class="tile-others">
          {others.map((series) => (
            <span class="value" key={series.key} title={valueTitle(series)}>
              <small>{series.metric}</small>
              <b>{series.last === undefined ? '–' : valueText(series.last[1], series.unit, series.decimals)}</b>
            </span>
          ))}
        </span>
      </a>
    </li>
  )
}
