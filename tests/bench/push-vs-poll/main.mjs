// biome-ignore-all lint/suspicious/noConsole: the figures are what this program is for
// `make bench-push`: 100 devices at 1 Hz, seen by push and by polling. What one update costs on the wire, how old it is when a
// viewer has it, and what it costs the hub. README.md beside this file says how it is meant.
//
//   TELLTALE_BIN    the hub's program (target/release/telltale)
//   VIEWERS         how many poll at once (50). Four times as many are pushed to ten times a second, since one costs too little
//                   to be measured; a fifth of it polls long at its best, since that asks most often
//   SECONDS         how long each way is measured (20)
//   ONLY            names of ways (ways.mjs has them), with commas between them
import { cpus, release } from 'node:os'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setTimeout as wait } from 'node:timers/promises'
import { DEVICES, Devices } from './devices.mjs'
import { Hub } from './hub.mjs'
import { WAYS } from './ways.mjs'

const VIEWERS = Number(process.env.VIEWERS ?? 50)
const SECONDS = Number(process.env.SECONDS ?? 20)
const ONLY = process.env.ONLY?.split(',')
const SETTLE_S = 3
for (const name of ONLY ?? [])
  if (!(name in WAYS)) throw new Error(`ONLY names ${name}; there are ${Object.keys(WAYS)}`)
/** What was sent at the end of the time is waited for so long. */
const LATE_S = 2

const hub = await Hub.start()
const devices = new Devices(hub)
await devices.start()
console.log(
  `${await hub.version()}; ${cpus().length} x ${cpus()[0].model}, Linux ${release()}, Node ${process.version}`,
)
console.log(
  `${DEVICES} devices, a reading each second; ${SECONDS} s each way, the hub's CPU without viewers taken off\n`,
)
console.log(
  '| way | viewers | B an update | delay p50, ms | p99, ms | hub CPU, µs an update | not seen | load program late p99, ms |',
)
console.log('|---|---|---|---|---|---|---|---|')
for (const [name, [title, way]] of Object.entries(WAYS)) {
  if (ONLY === undefined || ONLY.includes(name)) console.log(row(title, await measure(way)))
}
devices.stop()
process.exit(0)

/** What the hub spends without viewers is measured right before and right after each way, together for as long. */
async function measure(way) {
  await wait(SETTLE_S * 1000)
  const before = await hub.cpuOver(() => wait(SECONDS * 500))
  const count = Math.max(1, Math.round(VIEWERS * (way.share ?? 1)))
  const viewers = Array.from({ length: count }, (_, i) => way(hub, devices, i / count))
  await wait(SETTLE_S * 1000)
  for (const viewer of viewers) viewer.begin()
  const lag = monitorEventLoopDelay({ resolution: 1 })
  lag.enable()
  const sent = devices.count
  const busy = await hub.cpuOver(() => wait(SECONDS * 1000))
  lag.disable()
  const updates = devices.count - sent
  for (const viewer of viewers) viewer.pause()
  await wait(LATE_S * 1000)
  for (const viewer of viewers) viewer.end()
  await wait(SETTLE_S * 1000)
  const after = await hub.cpuOver(() => wait(SECONDS * 500))
  const sum = (read) => viewers.reduce((total, viewer) => total + read(viewer), 0)
  const seen = sum((viewer) => viewer.seen)
  const delays = viewers.flatMap((viewer) => viewer.delays).sort((a, b) => a - b)
  return {
    viewers: count,
    bytes: sum((viewer) => viewer.bytes) / seen,
    p50: delays[Math.floor(delays.length / 2)],
    p99: delays[Math.floor(delays.length * 0.99)],
    cpuUs: ((busy - before - after) * 1e6) / seen,
    missed: 1 - sum((viewer) => viewer.seenOfSent) / (updates * count),
    late: lag.percentile(99) / 1e6,
  }
}

function row(title, { viewers, bytes, p50, p99, cpuUs, missed, late }) {
  const share = missed < 0.0005 ? '0' : `${(missed * 100).toFixed(1)} %`
  const figures = [viewers, bytes.toFixed(0), p50.toFixed(0), p99.toFixed(0), cpuUs.toFixed(1), share, late.toFixed(1)]
  return `| ${title} | ${figures.join(' | ')} |`
}
