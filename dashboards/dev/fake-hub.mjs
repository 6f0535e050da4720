// A hub for working on the page without one: `npm run dev:fake`, then `npm run dev` (or open this address after a build).
//
// Every value is a function of time, so history of any range, live and resume agree. The code `dev` logs in. `PORT` (8080) and
// `EMPTY_S` (0: how long it stays without readings) come from the environment; `BUSY=1` adds a device of 20 metrics with 5
// lines each at 10 Hz. It speaks the contract's words and promises
// nothing else: no disk, no access rules.
import { createReadStream, existsSync } from 'node:fs'
import { createServer } from 'node:http'
import { extname, join, normalize } from 'node:path'
import { fileURLToPath } from 'node:url'
import { WebSocketServer } from 'ws'

const PORT = Number(process.env.PORT ?? 8080)
const STARTED = Date.now()
const EMPTY_UNTIL = STARTED + Number(process.env.EMPTY_S ?? 0) * 1000
const DIST = join(fileURLToPath(new URL('.', import.meta.url)), '../dist')
const HISTORY_FROM = STARTED - 30 * 86_400_000
const CSP = "default-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'"

const wave = (t, period, phase = 0) => Math.sin((t / period) * 2 * Math.PI + phase)
const noise = (t, seed) => {
  const x = Math.sin(t * 12.9898 + seed * 78.233) * 43758.5453
  return x - Math.floor(x) - 0.5
}
const MIN = 60_000
const HOUR = 60 * MIN

/** Series: what it is, how often it comes, its value at a time, and when it was silent. */
const SERIES = []
function series(device, metric, { labels = {}, unit = '', kind = 'gauge', every = 1000, value, silent = () => false }) {
  SERIES.push({ device, metric, labels, unit, kind, every, value, silent })
}
for (let i = 0; i < 2; i += 1) {
  const value = (t) => Math.max(0, 22 + 14 * wave(t, 7 * MIN, i) + 9 * wave(t, 47_000, i * 2) + 14 * noise(t / 1000, i))
  series('gateway-1', 'cpu.usage', { labels: { cpu: `cpu${i}` }, unit: '%', value })
}
series('gateway-1', 'memory.used', {
  unit: 'B',
  value: (t) => 2.1e9 + 3e8 * wave(t, 22 * MIN) + 2e7 * noise(t / 1000, 3),
})
series('gateway-1', 'load.1m', {
  every: 5000,
  value: (t) => Math.max(0, 0.6 + 0.3 * wave(t, 9 * MIN) + 0.2 * noise(t, 9)),
})
for (const dir of ['received', 'sent']) {
  const rate = dir === 'sent' ? 41_000 : 160_000
  const value = (t) => Math.floor(((t - HISTORY_FROM) / 1000) * rate + rate * 25 * (1 + wave(t, 3 * MIN, rate)))
  series('gateway-1', 'net.bytes', { labels: { interface: 'eth0', direction: dir }, unit: 'B', kind: 'counter', value })
}
series('gateway-1', 'disk.free', {
  labels: { path: '/' },
  unit: 'B',
  every: 10_000,
  value: (t) => 4.2e11 - ((t - HISTORY_FROM) / 1000) * 900,
})
const PLACES = ['Boiler room', 'Greenhouse', 'Roof', 'Pump house', 'Cold store', 'Workshop', 'Jetty', 'Barn']
PLACES.forEach((_, i) => {
  const id = `sensor-${String(i + 1).padStart(2, '0')}`
  const base = [61, 24, 9, 12, -18.5, 19, 8, 14][i]
  const silent = (t) => (i === 1 && t % (9 * MIN) < 100_000) || (i === 6 && t > STARTED - 20 * MIN)
  series(id, 'temperature', {
    unit: '°C',
    every: 2000,
    silent,
    value: (t) => Math.round((base + 1.4 * wave(t, 11 * MIN, i) + 0.3 * noise(t / 2000, i)) * 100) / 100,
  })
  series(id, 'humidity', {
    unit: '%',
    every: 2000,
    silent,
    value: (t) => Math.round((48 + 9 * wave(t, 31 * MIN, i)) * 10) / 10,
  })
  series(id, 'battery', {
    unit: 'V',
    every: 60_000,
    silent,
    value: (t) => Math.round((3.61 + 0.02 * wave(t, 6 * HOUR, i)) * 1000) / 1000,
  })
  if (i % 2 === 0) {
    series(id, 'door.open', { kind: 'state', every: 5000, silent, value: (t) => wave(t, 6 * MIN, i) > 0.7 })
    series(id, 'mode', {
      kind: 'text',
      every: 5000,
      silent,
      value: (t) => ['idle', 'heating', 'idle', 'defrost'][Math.floor(t / (3 * MIN) + i) % 4],
    })
  }
  if (i === 0)
    series(id, 'power', {
      unit: 'W',
      every: 1000,
      value: (t) => Math.max(0, 1800 + 900 * wave(t, 4 * MIN) + 300 * noise(t / 1000, 5)),
    })
})

if (process.env.BUSY === '1') {
  for (let metric = 0; metric < 20; metric += 1) {
    for (let line = 0; line < 5; line += 1) {
      const value = (t) => 50 + 20 * wave(t, (metric + 2) * MIN, line) + 6 * noise(t / 100, metric * 5 + line)
      series('busy', `metric.${metric}`, { labels: { line: `line${line}` }, every: 100, value })
    }
  }
}

const describe = ({ device, metric, labels, unit, kind }) => ({ device, metric, labels, unit, kind })
const filled = () => Date.now() >= EMPTY_UNTIL

function points(s, from, to) {
  const found = []
  const start = Math.max(HISTORY_FROM, EMPTY_UNTIL > STARTED ? EMPTY_UNTIL : 0, from)
  for (let t = Math.ceil(start / s.every) * s.every; t < to; t += s.every) if (!s.silent(t)) found.push([t, s.value(t)])
  return found
}

/** As history's `points=N`: at most the lowest and highest of each column. */
function thinned(s, from, to, n) {
  if ((to - from) / s.every <= n || typeof s.value(from) !== 'number') return points(s, from, Math.min(to, Date.now()))
  const found = []
  const width = (to - from) / n
  for (let c = 0; c < n; c += 1) {
    const left = from + c * width
    const step = Math.max(s.every, width / 8)
    const some = []
    for (let t = Math.ceil(left / s.every) * s.every; t < Math.min(left + width, Date.now()); t += step) {
      const at = Math.round(t / s.every) * s.every
      if (at >= HISTORY_FROM && !s.silent(at)) some.push([at, s.value(at)])
    }
    some.sort((a, b) => a[1] - b[1])
    found.push(
      ...[some[0], some.at(-1)]
        .filter(Boolean)
        .sort((a, b) => a[0] - b[0])
        .slice(0, some.length),
    )
  }
  return found
}

function last(s) {
  return points(s, Date.now() - Math.max(s.every * 2, 2 * HOUR), Date.now()).at(-1)
}

function matcher(select) {
  const glob = (text) =>
    new RegExp(
      `^${text.replace(/\\(.)|([*])|([?])|([.+^$()|[\]])/g, (_, esc, any, one, re) => (esc ? esc.replace(/[.*+?^$()|[\]\\{}]/g, '\\$&') : any ? '.*' : one ? '.' : `\\${re}`))}$`,
    )
  const [head] = select.split(/(?<!\\)\{/)
  const cut = head.search(/(?<!\\)\/(?!.*(?<!\\)\/)/)
  const device = glob(head.slice(0, cut))
  const metric = glob(head.slice(cut + 1))
  return (s) => device.test(s.device) && metric.test(s.metric)
}
const select = (selects) => (filled() ? SERIES.filter((s) => selects.some((one) => matcher(one)(s))) : [])

function stateOf(device) {
  const all = SERIES.filter((s) => s.device === device)
  const seen = Math.max(...all.map((s) => last(s)?.[0] ?? 0))
  const state = Date.now() - seen > 10 * MIN ? 'offline' : Date.now() - seen > MIN ? 'silent' : 'online'
  return { device, state, since: STARTED, seen, via: device.startsWith('sensor') ? 'gateway-1' : undefined }
}
function devices() {
  const ids = filled() ? [...new Set(SERIES.map((s) => s.device))] : []
  return ids.map((id, i) => ({
    ...stateOf(id),
    name: i === 0 ? '' : PLACES[i - 1],
    attributes: i === 0 ? {} : { site: i < 5 ? 'North' : 'South' },
    series: SERIES.filter((s) => s.device === id).length,
  }))
}

const timeOf = (text, absent) => (text === null ? absent : Number(text.replace('ms', '')))
const TYPES = { '.html': 'text/html', '.js': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml' }

const server = createServer((request, response) => {
  const url = new URL(request.url, 'http://hub')
  const q = url.searchParams
  const answer = (status, body, headers = {}) => {
    response.writeHead(status, { 'content-type': 'application/json', ...headers })
    response.end(body === undefined ? undefined : JSON.stringify(body))
  }
  const path = url.pathname.replace(/^\/api\/v1/, '')
  if (path === url.pathname) return file(url.pathname, response)
  const allowed = /telltale_dev=1/.test(request.headers.cookie ?? '')
  if (path === '/login') {
    let text = ''
    request.on('data', (chunk) => {
      text += chunk
    })
    request.on('end', () => {
      const good = /"dev"/.test(text)
      if (good) answer(204, undefined, { 'set-cookie': 'telltale_dev=1; Path=/; HttpOnly; SameSite=Strict' })
      else
        answer(401, {
          error: {
            code: 'unauthorized',
            message: 'This code is not known or was used.',
            hint: 'Make a new link: telltale login',
          },
        })
    })
    return
  }
  if (path === '/logout') return answer(204, undefined, { 'set-cookie': 'telltale_dev=0; Path=/; Max-Age=0' })
  if (!allowed) return answer(401, { error: { code: 'unauthorized', message: 'Log in first.' } })
  if (path === '/session') return answer(200, { role: 'admin', name: 'dev' })
  if (path === '/devices') return answer(200, { devices: devices() })
  const one = /^\/devices\/(.+)$/.exec(path)
  if (one) {
    const found = devices().find((d) => d.device === decodeURIComponent(one[1]))
    return found ? answer(200, found) : answer(404, { error: { code: 'not_found', message: `no device ${one[1]}` } })
  }
  if (path === '/last') {
    const found = select([q.get('select')]).map((s) => {
      const [time, value] = last(s) ?? [STARTED, s.value(STARTED)]
      return { ...describe(s), time, value, seen: time, changed: time }
    })
    return answer(200, { series: found })
  }
  if (path === '/history') {
    const from = timeOf(q.get('from'))
    const to = timeOf(q.get('to'), Date.now())
    const n = Number(q.get('points') ?? 800)
    const found = select([q.get('select')]).map((s) => ({
      ...describe(s),
      columns: ['time', 'value'],
      points: thinned(s, from, to, n),
    }))
    return answer(200, { series: found, thinned: true })
  }
  return answer(404, { error: { code: 'not_found', message: `no ${path}` } })
})

function file(path, response) {
  const name = join(DIST, normalize(path === '/' ? '/index.html' : path))
  if (!name.startsWith(DIST) || !existsSync(name)) return response.writeHead(404).end()
  response.writeHead(200, { 'content-type': TYPES[extname(name)] ?? 'text/plain', 'content-security-policy': CSP })
  createReadStream(name).pipe(response)
}

const sockets = new WebSocketServer({ server, path: '/api/v1/live' })
sockets.on('connection', (socket) => {
  const subs = new Map()
  const say = (message) => socket.send(JSON.stringify(message))
  socket.on('message', (data) => {
    const m = JSON.parse(String(data))
    if (m.type === 'unsubscribe') return subs.delete(m.id)
    const now = Date.now()
    const minutes = m.history ? Number.parseInt(m.history, 10) : 0
    const from = m.cursor ? Number(m.cursor.split('-')[1]) : now - minutes * MIN
    const sub = { selects: m.select, at: now, numbers: new Map() }
    subs.set(m.id, sub)
    const entries = select(m.select).map((s) => {
      sub.numbers.set(s, sub.numbers.size)
      const held = m.history || m.cursor ? points(s, from, now) : [last(s)].filter(Boolean)
      return { series: sub.numbers.get(s), ...describe(s), points: held }
    })
    say({ type: 'snapshot', id: m.id, recovered: Boolean(m.cursor), cursor: `dev-${now}`, series: entries })
    say({ type: 'state', id: m.id, devices: [...new Set(entries.map((e) => e.device))].map(stateOf) })
  })
  const timer = setInterval(() => {
    const now = Date.now()
    for (const [id, sub] of subs) {
      const described = []
      const rows = select(sub.selects).flatMap((s) => {
        const found = points(s, sub.at, now)
        if (found.length > 0 && !sub.numbers.has(s)) {
          sub.numbers.set(s, sub.numbers.size)
          described.push({ series: sub.numbers.get(s), ...describe(s) })
        }
        return found.map(([t, v]) => [sub.numbers.get(s), t, v])
      })
      sub.at = now
      if (rows.length > 0)
        say({
          type: 'update',
          id,
          cursor: `dev-${now}`,
          points: rows,
          ...(described.length ? { series: described } : {}),
        })
    }
  }, 200)
  socket.on('close', () => clearInterval(timer))
})

server.listen(PORT, '127.0.0.1', () => console.log(`fake hub: http://127.0.0.1:${server.address().port}/#login=dev`))
