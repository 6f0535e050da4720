// Charts, timelines and the table under them.
import { useSignal } from '@preact/signals'
import { selectorOf } from '@telltale/client'
import { isState } from '../src/chart/held'
import { type Hidden, NONE_HIDDEN, toggled } from '../src/chart/hidden'
import { LineCard } from '../src/chart/line-card'
import type { Metric } from '../src/chart/members'
import type { Older } from '../src/chart/older'
import type { Ask } from '../src/chart/question'
import { StatesCard } from '../src/chart/states'
import { requestFrame } from '../src/frame'
import { FiguresCard } from '../src/pages/explore/figures'
import { groupsOf } from '../src/pages/explore/groups'
import type { TimeRange } from '../src/range'
import { patch, type Shown, shown } from './held'
import {
  boiler,
  cells,
  cores,
  gone,
  HOUR,
  MINUTE,
  NOW,
  outdoor,
  power,
  received,
  refusing,
  SILENCE,
  silentOne,
  states,
} from './plant'
import type { Specimen } from './specimens'

const QUARTER: TimeRange = { kind: 'last', span: '15m' }
const DAY: TimeRange = { kind: 'fixed', from: NOW - 24 * HOUR, to: NOW }

interface LinesProps {
  of: Shown
  range?: TimeRange
  ask?: Partial<Ask>
  before?: { ask: Ask; name: string }
}

function askOf({ members }: Metric): Ask {
  return { select: members.map(({ description }) => selectorOf(description)) }
}

/** Each metric of what is shown as a card; history is asked of `hub.ts`. */
function Lines({ of, range = QUARTER, ask = {}, before }: LinesProps) {
  const hidden = useSignal<Hidden>(NONE_HIDDEN)
  const known = of.metrics.flatMap(({ members }) => members.map(({ key }) => key))
  return (
    <div class="cards wide">
      {of.metrics.map((metric) => (
        <LineCard
          key={metric.metric}
          metric={metric}
          watch={of.watch}
          last={of.last}
          range={range}
          ask={{ ...askOf(metric), ...ask }}
          olders={new Set<Older>()}
          syncKey={metric.metric}
          hidden={hidden.value}
          onToggle={(key) => {
            hidden.value = toggled(hidden.peek(), key, known)
          }}
          onZoom={() => undefined}
          onMove={() => undefined}
          {...(before === undefined ? {} : { before })}
        />
      ))}
    </div>
  )
}

function lines(name: string, title: string, says: string, of: Shown, rest: Omit<LinesProps, 'of'> = {}): Specimen {
  return { name, title, says, show: () => <Lines of={of} {...rest} /> }
}

function LateReading() {
  const held = late
  const came = useSignal(false)
  return (
    <>
      <p>
        <button
          type="button"
          class="primary"
          disabled={came.value}
          onClick={() => {
            came.value = true
            patch(held, boiler, SILENCE[0], SILENCE[0] + 2 * MINUTE)
            requestFrame()
          }}
        >
          Let two minutes of readings arrive late
        </button>
      </p>
      <Lines of={held} />
    </>
  )
}

const late = shown([boiler])
const timelines = shown(states)

function States() {
  return (
    <StatesCard
      metrics={timelines.metrics}
      askOf={askOf}
      watch={timelines.watch}
      last={timelines.last}
      range={QUARTER}
      olders={new Set<Older>()}
    />
  )
}

const mixed = shown([boiler, power, ...states])
const groups = groupsOf([boiler, power, ...states], (metric) => isState(metric, mixed))

export const CHARTS: readonly Specimen[] = [
  lines(
    'gap',
    'Line with a gap',
    'Nothing came for three minutes: the line is broken, not drawn through.',
    shown([boiler]),
  ),
  { name: 'late', title: 'Late readings', says: 'What comes late is drawn in its place.', show: LateReading },
  lines('stale', 'Line gone silent', 'The device has sent nothing for five minutes.', shown([gone])),
  lines('band', 'A day, thinned', 'History gives the least and the greatest of each column.', shown([outdoor]), {
    range: DAY,
  }),
  lines('lines', 'Eight lines and their legend', 'As many as there are colours.', shown(cores)),
  lines('many', 'More lines than can be told apart', 'Those that are not drawn are counted.', shown(cells)),
  lines('counter', 'Counter', 'As a rate; it began at 0 again four minutes ago.', shown([received])),
  lines('buckets', 'Buckets, with the day before', 'Each point is the mean of 15 minutes.', shown([outdoor]), {
    range: DAY,
    ask: { buckets: { every: '15m', agg: 'mean', tz: 'UTC' } },
    before: {
      ask: {
        select: [selectorOf(outdoor)],
        buckets: { every: '15m', agg: 'mean', tz: 'UTC' },
        earlier: { days: 1, zone: 'UTC' },
      },
      name: 'the day before',
    },
  }),
  lines('spread', 'Buckets, with the lowest and the highest', 'The band says what a mean hides.', shown([outdoor]), {
    range: DAY,
    ask: { buckets: { every: '15m', agg: 'mean', tz: 'UTC' }, band: true },
  }),
  lines('empty', 'No reading in this time', 'An empty chart says so.', shown([silentOne])),
  lines('refused', 'History that cannot be read', 'What the hub said, and what happens next.', shown([refusing]), {
    range: DAY,
  }),
  {
    name: 'states',
    title: 'State timelines',
    says: 'A bool, a text and a number, since when, and before.',
    show: States,
  },
  { name: 'figures', title: 'Table of figures', show: () => <FiguresCard groups={groups} range={QUARTER} /> },
]
