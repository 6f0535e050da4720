// The head of a chart's card: its name, how its readings are summed up, since when it is silent, and its value or what stands under
// the crosshair.
import { hubNow } from '../clock'
import { shownNow } from '../live'
import { spanMs, type TimeRange, windowOf } from '../range'
import { closeMoment, moment, WITH_PARTS_MS } from '../words'
import { latest } from './held'
import type { LineCardProps } from './line-card'
import type { DrawnLine } from './lines'
import { type ChartLine, titleOf } from './members'
import type { Readout } from './readout'
import { drawnAsRate } from './shown'
import { staleSince } from './stale'
import { commonGaps, gapAt } from './table'

interface CardHeadProps extends LineCardProps {
  chartLines: readonly ChartLine[]
  /** As they were drawn. */
  lines: readonly DrawnLine[]
  /** Of the only line. */
  alone: (Readout & { before: string | undefined }) | undefined
  /** The time under the crosshair. */
  hover: number | undefined
  /** Of the charts that share the crosshair the one that is read: a reader of the screen is told of that one alone. */
  isRead: boolean
}

export function CardHead(props: CardHeadProps) {
  const { metric, lines, alone, hover, isRead, before, range } = props
  return (
    <header class="card-head">
      <h3 title={titleOf(metric)}>{titleOf(metric)}</h3>
      <Tags {...props} />
      <StaleTag {...props} />
      <p class="figure" aria-live={hover !== undefined && isRead ? 'polite' : 'off'}>
        {hover !== undefined && <small>{hoverText(hover, commonGaps(lines), range)}</small>}
        {alone !== undefined && alone.silent !== true && <Figure readout={alone} />}
        {before !== undefined && alone !== undefined && hover !== undefined && (
          <span>
            {before.name} {alone.before}
          </span>
        )}
      </p>
    </header>
  )
}

function Tags({ metric, ask, before }: CardHeadProps) {
  return (
    <>
      {drawnAsRate(metric, ask) && <span class="tag">per second</span>}
      {ask.buckets !== undefined && (
        <span class="tag">
          {ask.buckets.agg} of {ask.buckets.every}
        </span>
      )}
      {ask.band === true && <span class="tag">band: lowest to highest</span>}
      {before !== undefined && <span class="tag">dashed: {before.name}</span>}
    </>
  )
}

/** Told where now is in the picture and every line has been silent for longer than it should. */
function StaleTag(props: CardHeadProps) {
  const { watch, range, chartLines } = props
  // Of the time since the connection broke nothing is known.
  const now = shownNow()
  if (windowOf(range, now).to < now) return null
  const since = chartLines.map(({ member }) => {
    const series = watch.sub.series.get(member.key)
    const state = watch.sub.devices.get(member.description.device)?.state
    return staleSince(latest(member, props)?.time, series?.ring, state, now)
  })
  if (since.length === 0 || since.includes(undefined)) return null
  const last = Math.max(...since.filter((time) => time !== undefined))
  return (
    <span class="tag badge" title="No reading for much longer than usual">
      stale since {moment(last, now)}
    </span>
  )
}

/** The time under the crosshair, or the silence it stands in. */
function hoverText(time: number, silences: ReturnType<typeof commonGaps>, range: TimeRange): string {
  const gap = gapAt(silences, time)
  const now = hubNow()
  if (gap === undefined) return closeMoment(time, now, spanMs(range, now) < WITH_PARTS_MS)
  if (gap.open === true) return `no data since ${moment(gap.from, now)}`
  return `no data from ${moment(gap.from, now)} to ${moment(gap.to, now)}`
}

/** Number large, unit small. */
function Figure({ readout }: { readout: Readout }) {
  const [figures, ...unit] = readout.text.split(' ')
  return (
    <>
      <b>{figures}</b>
      {unit.length > 0 && <span> {unit.join(' ')}</span>}
    </>
  )
}
