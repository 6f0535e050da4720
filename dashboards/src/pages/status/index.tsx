// How the hub is: what comes in, what goes out, what it keeps, who sends, and what it refused and why.
import { useSignal } from '@preact/signals'
import { formatValue } from '@telltale/client'
import { hubNow, second } from '../../clock'
import type { Disk } from '../../hub/disk'
import { fetchRefusals, type Refusal } from '../../hub/refusals'
import { fetchSizes, type Sizes } from '../../hub/sizes'
import { type CommitTimes, fetchStatus, type Gateway, type HubStatus } from '../../hub/status'
import { Scroll } from '../../parts/scroll'
import { STATE_WORDS } from '../../parts/state'
import { Trend } from '../../parts/trend'
import { ApiError, failureText } from '../../rest'
import { useTitle } from '../../title'
import { ago, clockTime, duration, moment } from '../../words'
import { forecastText, isShort, usedText } from './forecast'
import { growthOf, type Rates, type Sample, sampleOf, steps, withSample } from './rates'
import { RefusalsCard } from './refusals'
import { TokensCard } from './tokens'
import { useRepeated } from './use-repeated'

const ASK_MS = 2_000
const OLD_MS = 10_000
/** Sizes are read from the disk, refusals rarely change: both are asked for less often. */
const ASK_SELDOM_MS = 30_000

export function StatusPage() {
  useTitle('Status')
  const status = useSignal<HubStatus | undefined>(undefined)
  const samples = useSignal<readonly Sample[]>([])
  const sizes = useSignal<Sizes | undefined>(undefined)
  const refusals = useSignal<readonly Refusal[]>([])
  const error = useSignal('')
  const seldomError = useSignal('')
  useRepeated(ASK_MS, () =>
    attempt(error, async () => {
      const next = await fetchStatus()
      status.value = next
      samples.value = withSample(samples.value, sampleOf(next))
    }),
  )
  useRepeated(ASK_SELDOM_MS, () =>
    attempt(seldomError, async () => {
      refusals.value = await fetchRefusals()
      sizes.value = await fetchSizes()
    }),
  )
  const now = status.value
  return (
    <main class="status">
      <div class="bar">
        <h1>Status</h1>
        {now !== undefined && (
          <p class="counts">
            Telltale {now.version}, up {duration(now.now - now.started)}
          </p>
        )}
      </div>
      {[...new Set([error.value, seldomError.value])].filter(Boolean).map((said) => (
        <p class="note" key={said}>
          {said}
        </p>
      ))}
      {now === undefined && error.value === '' && <p class="none late">Asking the hub</p>}
      {now !== undefined && <Age told={now.now} />}
      {now !== undefined && (
        <>
          <Readiness status={now} />
          <Figures status={now} rates={steps(samples.value)} sizes={sizes.value} />
          <GatewaysCard status={now} />
          <RefusalsCard refusals={refusals.value} byCode={now.refused} />
          <TokensCard />
        </>
      )}
    </main>
  )
}

/** Each question has an error of its own: one that is answered does not hide that another is not. */
async function attempt(error: { value: string }, run: () => Promise<void>): Promise<void> {
  try {
    await run()
    error.value = ''
  } catch (caught) {
    // The connection's own line tells of a hub that is away; the figures stay.
    if (!(caught instanceof ApiError && caught.status === 0)) {
      error.value = failureText(caught, 'The status could not be read.')
    }
  }
}

/** Figures that are not of now say of when they are. */
function Age({ told }: { told: number }) {
  second.value
  if (hubNow() - told < OLD_MS) return null
  return <p class="note">These figures are of {clockTime(told)}: the hub has not answered since.</p>
}

function Readiness({ status }: { status: HubStatus }) {
  const problems = status.reasons.map((reason) => `${reason.message} (${reason.code})`)
  if (status.influx?.away !== undefined) {
    const since = status.influx.awaySince
    problems.push(
      `InfluxDB takes nothing${since === undefined ? '' : ` since ${moment(since, hubNow())}`}: ${status.influx.away}`,
    )
  }
  for (const aside of status.setAside.filter((one) => one.loss === 'damage')) {
    problems.push(`The log was damaged in ${aside.segment}: ${aside.what}. ${aside.bytes} bytes were set aside.`)
  }
  for (const { agent, from, to } of status.missing) {
    problems.push(`Batches ${from} to ${to} of ${agent} are missing: they came after the backup of this hub.`)
  }
  return (
    <section
      class={`card readiness tone-${status.ready ? (problems.length === 0 ? 'good' : 'wait') : 'bad'}`}
      aria-label="Readiness"
    >
      <i class="dot" />
      <div>
        <b>{status.ready ? 'Readings are taken' : 'Readings are refused'}</b>
        {problems.map((problem) => (
          <p key={problem}>{problem}</p>
        ))}
      </div>
    </section>
  )
}

interface FiguresProps {
  status: HubStatus
  rates: readonly Rates[]
  sizes: Sizes | undefined
}

function Figures({ status, rates, sizes }: FiguresProps) {
  const last = rates.at(-1)
  const { counters } = status
  const each = (value: number | undefined, unit = '') => (value === undefined ? '–' : formatValue(value, `${unit}/s`))
  return (
    <div class="figures">
      <FigureCard
        name="Readings stored"
        figure={each(last?.readings)}
        trend={rates.map((one) => one.readings)}
        more={`${count(counters.readings_stored)} since the start, ${count(counters.readings_duplicate)} duplicates`}
      />
      <FigureCard
        name="Refused"
        figure={each(last?.refused)}
        trend={rates.map((one) => one.refused)}
        more={`${count(counters.readings_refused)} since the start`}
      />
      <FigureCard
        name="Commit to disk"
        figure={commitText(last?.commitMs ?? status.commits?.p50Ms)}
        trend={rates.map((one) => one.commitMs)}
        more={`${percentilesText(status.commits)}${each(last?.commits)} commits, ${each(last?.logBytes, 'B')}, queue ${status.queue.now} of ${status.queue.max}`}
      />
      <FigureCard
        name="Viewers"
        figure={count(counters.viewers_open)}
        trend={rates.map((one) => one.frames)}
        more={`${each(last?.frames)} frames, ${count(counters.live_readings_merged)} readings merged for slow ones`}
      />
      <FigureCard
        name="Senders"
        figure={count(counters.agents_open)}
        more={`${status.devices.online ?? 0} devices online, ${status.devices.silent ?? 0} silent, ${status.devices.offline ?? 0} unreachable`}
      />
      {status.disk !== undefined && (
        <DiskCard disk={status.disk} now={status.now} isRemote={status.influx !== undefined} />
      )}
      <FigureCard name="History" figure={bytes(status.storeBytes)} more={historyText(status, sizes)} />
    </div>
  )
}

function commitText(ms: number | undefined): string {
  return ms === undefined ? '–' : took(ms)
}

function took(ms: number): string {
  return formatValue(ms / 1000, 's', 2)
}

function percentilesText(commits: CommitTimes | undefined): string {
  if (commits === undefined) return ''
  const { of, p50Ms, p99Ms, maxMs } = commits
  return `newest ${of}: p50 ${took(p50Ms)}, p99 ${took(p99Ms)}, longest ${took(maxMs)}; `
}

function DiskCard({ disk, now, isRemote }: { disk: Disk; now: number; isRemote: boolean }) {
  const { freeBytes } = disk
  const figure = freeBytes === undefined ? '–' : `${bytes(freeBytes)} free`
  const until = isRemote ? 'History is in InfluxDB, and fills its disk.' : forecastText(disk, now)
  return (
    <FigureCard name="Disk" tone={isShort(disk) ? 'bad' : ''} figure={figure} more={`${usedText(disk)} ${until}`} />
  )
}

function historyText(status: HubStatus, sizes: Sizes | undefined): string {
  const said = [`${count(status.series)} series, ${count(status.storePoints + status.headPoints)} readings`]
  if (sizes !== undefined) {
    const growth = growthOf(sizes.files, new Date(hubNow()).toISOString().slice(0, 10))
    if (growth !== undefined) said.push(`${bytes(growth.bytesPerDay)} a day, ${bytes(growth.bytesPerDay * 365)} a year`)
    said.push(`log ${bytes(sizes.logBytes)}`)
  }
  if (status.influx !== undefined) said.push(`${bytes(status.influx.backlogBytes)} not yet in InfluxDB`)
  return said.join('; ')
}

interface FigureCardProps {
  name: string
  figure: string
  more: string
  tone?: string
  trend?: readonly (number | undefined)[]
}

export function FigureCard(props: FigureCardProps) {
  const [figures, ...unit] = props.figure.split(' ')
  return (
    <section class={`card figure-card ${props.tone ?? ''}`} aria-label={props.name}>
      <h2>{props.name}</h2>
      <p class="figure-large">
        <b>{figures}</b> <span>{unit.join(' ')}</span>
      </p>
      {props.trend !== undefined && <Trend values={props.trend} label={`${props.name} over the last minutes`} />}
      <p class="figure-more">{props.more}</p>
    </section>
  )
}

function GatewaysCard({ status }: { status: HubStatus }) {
  const now = hubNow()
  const states = ['online', 'silent', 'offline', 'unknown'] as const
  return (
    <section class="card table-card" aria-label="Senders">
      <h2>Agents and tokens that send</h2>
      {status.gateways.length === 0 ? (
        <p class="none-here">Nothing has sent since the hub started.</p>
      ) : (
        <Scroll name="Table of senders">
          <table>
            <thead>
              <tr>
                <th scope="col">Name</th>
                <th scope="col">Last heard</th>
                <th scope="col">Backlog</th>
                {states.map((state) => (
                  <th scope="col" class="num" key={state}>
                    {STATE_WORDS[state].word}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {status.gateways.map((gateway) => (
                <tr key={gateway.via}>
                  <th scope="row">{gateway.via}</th>
                  <td>{gateway.seen === undefined ? '–' : ago(gateway.seen, now)}</td>
                  <td>{backlogText(gateway, now)}</td>
                  {states.map((state) => (
                    <td class="num" key={state}>
                      {gateway.devices[state] ?? 0}
                    </td>
                  ))}
                </tr>
              ))}
            </tbody>
          </table>
        </Scroll>
      )}
    </section>
  )
}

function backlogText({ backlogFrom }: Gateway, now: number): string {
  return backlogFrom === undefined ? 'none' : `sends readings of ${moment(backlogFrom, now)}, ${ago(backlogFrom, now)}`
}

function bytes(value: number): string {
  return formatValue(value, 'B')
}

function count(value: number | undefined): string {
  return formatValue(value ?? 0, '')
}
