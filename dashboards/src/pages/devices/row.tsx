// One device in the list.
import type { Series } from '@telltale/client'
import { hubNow } from '../../clock'
import { Spark } from '../../parts/spark'
import { StateDot } from '../../parts/state'
import { deviceHref } from '../../route'
import { ago, exactText, moment, valueText } from '../../words'
import type { Row } from './list'
import { hasSpark, sparkOf } from './sparks'

export function DeviceRow({ row, place, count }: { row: Row; place: number; count: number }) {
  const now = hubNow()
  const site = row.attributes.site
  return (
    <li class={`row is-${row.state}`} aria-posinset={place + 1} aria-setsize={count}>
      <a href={deviceHref(row.id)}>
        <span class="row-name">
          <StateDot state={row.state} />
          <span>
            <b>{row.name}</b>
            <small>{[row.name === row.id ? '' : row.id, site ?? '', viaText(row)].filter(Boolean).join(' · ')}</small>
          </span>
        </span>
        <RowSpark series={row.values[0]} />
        <span class="row-values">
          {row.values.map((series) => (
            <ValueCell key={series.key} series={series} />
          ))}
          {row.more > 0 && <span class="row-more">+{row.more}</span>}
        </span>
        <time class="row-seen" title={row.seen === undefined ? '' : moment(row.seen, now)}>
          {row.seen === undefined ? 'no reading yet' : ago(row.seen, now)}
        </time>
      </a>
    </li>
  )
}

export function RowSpark({ series }: { series: Series | undefined }) {
  const spark = hasSpark(series) ? sparkOf(series) : undefined
  if (series === undefined || spark === undefined) return <span class="spark" />
  return <Spark {...spark} label={`${series.metric} over the last hour`} />
}

export function viaText(row: Row): string {
  return row.via === undefined || row.via === row.id ? '' : `via ${row.via}`
}

/** All of it, since the cell has room for a part. */
export function valueTitle({ metric, labels, last, unit }: Series): string {
  const named = Object.entries(labels).map(([name, value]) => `${name}=${value}`)
  const value = last === undefined ? [] : [exactText(last[1], unit)]
  return `${[metric, ...named].join(', ')}${value.length === 0 ? '' : `: ${value.join('')}`}`
}

function ValueCell({ series }: { series: Series }) {
  const last = series.last
  return (
    <span class="value" title={valueTitle(series)}>
      <small>{series.metric}</small>
      <b>{last === undefined ? '–' : valueText(last[1], series.unit, series.decimals)}</b>
    </span>
  )
}
