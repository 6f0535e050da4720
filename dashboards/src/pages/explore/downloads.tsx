// Every reading of the time shown, or its buckets, as the hub writes them.
import { historyParams, type Weekday } from '../../api'
import type { Ask } from '../../chart/question'
import { hubNow } from '../../clock'
import { fieldText, windowOf } from '../../range'
import { dayOfWeek, weekStart, zoneName } from '../../zone'
import { type Groups, selectGroups } from './groups'
import type { View } from './view'

const FORMATS = [
  ['csv', 'CSV'],
  ['ndjson', 'NDJSON'],
  ['parquet', 'Parquet'],
] as const

export function Downloads({ view, groups }: { view: View; groups: Groups }) {
  const select = downloadSelect(view, groups)
  const href = (format: string) => downloadHref(view, select, format, hubNow())
  const leftOut = select === view.select ? 0 : groups.states.length
  return (
    <p class="downloads">
      Download{' '}
      {FORMATS.map(([format, name]) => (
        <a
          key={format}
          class="link"
          href={href(format)}
          download={downloadName(view, format, hubNow())}
          onClick={(event) => {
            // The time shown may have moved on since this was drawn.
            event.currentTarget.href = href(format)
            event.currentTarget.download = downloadName(view, format, hubNow())
          }}
        >
          {name}
        </a>
      ))}
      {leftOut > 0 && (
        <small>
          without {leftOut} {leftOut === 1 ? 'state' : 'states'}, which have no {view.agg}
        </small>
      )}
    </p>
  )
}

/** What bools and texts have too. */
const OF_ALL = new Set(['count', 'first', 'last'])

/** What is downloaded: all that was selected, or where states have no such aggregate the numbers alone. */
export function downloadSelect(view: View, groups: Groups): readonly string[] {
  if (view.every === '' || OF_ALL.has(view.agg) || groups.states.length === 0) return view.select
  const numbers = selectGroups(groups.lines.flatMap((line) => line.members))
  // More than one question may name: the hub says what it cannot sum up.
  return numbers.length === 1 ? (numbers[0] ?? view.select) : view.select
}

export function downloadHref(view: View, select: readonly string[], format: string, now: number): string {
  const { from, to } = windowOf(view.range, now)
  const buckets = bucketsOf(view)
  const query = historyParams({ select, from, to, ...(buckets === undefined ? {} : { buckets }) })
  query.set('format', format)
  // Parquet has a type for times.
  if (format !== 'parquet') query.set('time', 'rfc3339')
  return `api/v1/history?${query}`
}

/** Says what is in it, in names that every system takes: two downloads are not taken for one. */
export function downloadName(view: View, format: string, now: number): string {
  const { from, to } = windowOf(view.range, now)
  const what = view.select
    .join(' ')
    .replace(/[^\p{L}\p{N}.-]+/gu, '_')
    .replace(/^[_.]+|_+$/g, '')
  const summed = view.every === '' ? [] : [`${view.agg}-${view.every}`]
  const times = [from, to].map((time) => fieldText(time).replaceAll(':', ''))
  return `${['telltale', what.slice(0, 80), ...summed, ...times].filter(Boolean).join('_')}.${format}`
}

export function bucketsOf(view: View): Ask['buckets'] {
  if (view.every === '') return undefined
  const buckets = { every: view.every, agg: view.agg, tz: zoneName() }
  return view.every.endsWith('w') ? { ...buckets, week: dayOfWeek(weekStart()).toLowerCase() as Weekday } : buckets
}
