// Watches a hub and prints what comes in, with the age of each reading.
//
//   telltale token create --role viewer          # once; into TELLTALE_TOKEN
//   node examples/watch.mjs 'gateway-*/*'
//
// TELLTALE_URL is the hub's address (http://127.0.0.1:8080). With CURSOR_FILE the place is kept there: another run goes on
// where this one ended. Node before 22 needs `npm install ws`.
import { readFileSync, writeFileSync } from 'node:fs'
import { connect } from '@telltale/client'

const { TELLTALE_URL = 'http://127.0.0.1:8080', TELLTALE_TOKEN, CURSOR_FILE } = process.env
const WebSocket = globalThis.WebSocket ?? (await import('ws')).default
const selectors = process.argv.length > 2 ? process.argv.slice(2) : ['*/*']

const hub = connect(TELLTALE_URL, {
  token: TELLTALE_TOKEN,
  WebSocket,
  onState(state) {
    const why = state.cause === undefined ? '' : ` (${state.cause.code} ${state.cause.reason})`
    console.error(`${state.phase}${why}`)
    if (state.phase === 'ended') process.exitCode = 1
  },
})

hub.subscribe(selectors, { cursor: kept() }, ({ type, reset, forget, points, merged, cursor }) => {
  if (type === 'snapshot') console.error(reset ? 'from the beginning:' : 'going on:')
  for (const { series, from, to } of forget) console.log(`${name(series)} forget ${at(from)} to ${at(to)}`)
  for (const { series, time, value } of points)
    console.log(`${at(time)} ${name(series)} ${value} ${series.unit}`.trimEnd())
  if (merged > 0) console.error(`${merged} readings were left out, since this program was slow`)
  if (CURSOR_FILE !== undefined && cursor !== undefined) writeFileSync(CURSOR_FILE, cursor)
})

process.once('SIGINT', () => hub.close())
process.once('SIGTERM', () => hub.close())

function kept() {
  try {
    return CURSOR_FILE === undefined ? undefined : readFileSync(CURSOR_FILE, 'utf8')
  } catch {
    return undefined
  }
}

function at(ms) {
  return new Date(ms).toISOString()
}

function name({ device, metric, labels }) {
  const some = Object.entries(labels).map(([key, value]) => `${key}=${JSON.stringify(value)}`)
  return some.length === 0 ? `${device}/${metric}` : `${device}/${metric}{${some.join(',')}}`
}
