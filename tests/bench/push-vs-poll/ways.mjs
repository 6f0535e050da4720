// The ways to see live updates. Each makes one viewer of all devices; requests have the headers that they need and no more.
//
// Bytes are those of the sockets, both directions: what TCP carries, HTTP's headers and WebSocket's included, TCP's own not.
import { Agent, request } from 'node:http'
import { JSON_CODEC, MSGPACK_CODEC } from '../../../dashboards/client/dist/codec.js'
import { Feed } from '../../../dashboards/client/dist/feed.js'
import { subscribeMessage } from '../../../dashboards/client/dist/protocol.js'
import { WebSocket } from './devices.mjs'

const SELECT = '*/*'
/** Parts of the usual number of viewers: pushing to one costs too little to be measured, asking at each news a lot. */
const MANY = 4
const FEW = 0.2
/** The hub takes 64 in a request. */
const SELECTORS = 64

/** By the names for `ONLY`: the title of the row, and what makes a viewer. */
export const WAYS = {
  'ws-json': ['WebSocket, JSON', socket(JSON_CODEC)],
  'ws-msgpack': ['WebSocket, MessagePack', socket(MSGPACK_CODEC)],
  'ws-json-60': ['WebSocket, JSON, `max_hz` 60', socket(JSON_CODEC, 60)],
  sse: ['server-sent events', events],
  'long-poll': ['long polling at its best', longPoll],
  'long-poll-sse': ['long polling by `live/sse`', heldEvents],
  'last-1s': ['`last` each second', poll(1_000, lastUrl)],
  'last-100ms': ['`last` each 100 ms', poll(100, lastUrl)],
  'history-1s': ['`history` of what is new, each second', poll(1_000, newsUrl)],
  'history-100ms': ['`history` of what is new, each 100 ms', poll(100, newsUrl)],
}

/** Counts what a viewer sees, each reading once, and the bytes of its sockets. */
class Tally {
  /** Between `begin` and `pause`. */
  seen = 0
  delays = []
  bytes = 0
  /** Of the readings that were sent in that time, however late they were seen. */
  seenOfSent = 0
  newest = 0
  #devices
  #times = new Map()
  #sockets = new Set()
  #from = Number.POSITIVE_INFINITY
  #to = Number.POSITIVE_INFINITY
  #bytesBefore = 0
  #leave = () => undefined

  constructor(devices) {
    this.#devices = devices
  }

  socket(socket) {
    this.#sockets.add(socket)
  }

  /** What ends the viewer. */
  leaving(leave) {
    this.#leave = leave
  }

  saw(device, time) {
    if (time <= (this.#times.get(device) ?? 0)) return
    this.#times.set(device, time)
    this.newest = Math.max(this.newest, time)
    const left = this.#devices.leftAt(device, time)
    if (left === undefined) return
    if (left >= this.#from && left < this.#to) this.seenOfSent += 1
    const now = performance.now()
    if (now < this.#from || now >= this.#to) return
    this.seen += 1
    this.delays.push(now - left)
  }

  begin() {
    this.#bytesBefore = this.#bytes()
    this.#from = performance.now()
  }

  pause() {
    this.#to = performance.now()
    this.bytes = this.#bytes() - this.#bytesBefore
  }

  end() {
    this.#leave()
  }

  #bytes() {
    let bytes = 0
    for (const socket of this.#sockets) bytes += socket.bytesRead + socket.bytesWritten
    return bytes
  }
}

/** Applies a message of live to a feed, and counts its points; true when it had any. */
function count(tally, feed, message) {
  if (message === null || !('cursor' in message || message.type === 'snapshot')) return false
  const points = feed.change(message)?.points ?? []
  for (const { series, time } of points) tally.saw(series.device, time)
  return points.length > 0
}

function socket(codec, maxHz) {
  const way = (hub, devices) => {
    const tally = new Tally(devices)
    const feed = new Feed()
    const headers = { authorization: `Bearer ${hub.viewer}` }
    const live = new WebSocket(`${hub.url.replace('http', 'ws')}/api/v1/live`, codec.protocol ? [codec.protocol] : [], {
      headers,
      perMessageDeflate: false,
    })
    live.once('upgrade', (answer) => tally.socket(answer.socket))
    live.once('open', () => live.send(codec.encode(subscribeMessage('a', { select: [SELECT], maxHz }))))
    live.on('message', (data, binary) => count(tally, feed, codec.decode(binary ? data : data.toString())))
    tally.leaving(() => live.terminate())
    return tally
  }
  // At 60 Hz this program could not read as much as it is sent.
  way.share = maxHz === undefined ? MANY : 1
  return way
}

function events(hub, devices) {
  const tally = new Tally(devices)
  const feed = new Feed()
  const stream = openEvents(hub, tally, undefined, ({ data }) => count(tally, feed, data))
  tally.leaving(() => stream.destroy())
  return tally
}
events.share = MANY

/**
 * What a route for long polling could do at most: a request is made at the moment when there is news, and only for what is
 * new, as if the hub had held it until then; the next as soon as there is more. What is new this program knows from the acks.
 */
function longPoll(hub, devices) {
  const tally = new Tally(devices)
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  let busy = false
  const news = new Set()
  const ask = () => {
    if (busy || news.size === 0) return
    const some = [...news].slice(0, SELECTORS)
    for (const device of some) news.delete(device)
    const query = new URLSearchParams(some.map((device) => ['select', `${device}/*`]))
    busy = true
    fetchSeries(hub, `/api/v1/last?${query}`, agent, tally, () => {
      busy = false
      ask()
    })
  }
  const stored = (device) => {
    news.add(device)
    ask()
  }
  devices.events.on('stored', stored)
  tally.leaving(() => {
    devices.events.off('stored', stored)
    agent.destroy()
  })
  return tally
}
longPoll.share = FEW

/** A stream that is broken off with the first news, then the next from the cursor that came with it. */
function heldEvents(hub, devices) {
  const tally = new Tally(devices)
  const feed = new Feed()
  let cursor
  let stream
  let ended = false
  const ask = () => {
    feed.begin()
    let answered = false
    stream = openEvents(hub, tally, cursor, ({ id, data }) => {
      if (answered || !count(tally, feed, data)) return
      answered = true
      cursor = id
      stream.destroy()
      if (!ended) setImmediate(ask)
    })
  }
  ask()
  tally.leaving(() => {
    ended = true
    stream.destroy()
  })
  return tally
}

function openEvents(hub, tally, cursor, onEvent) {
  const query = new URLSearchParams({ select: SELECT, ...(cursor === undefined ? {} : { cursor }) })
  const asked = get(hub, `/api/v1/live/sse?${query}`, new Agent(), tally)
  asked.on('response', (answer) => {
    if (answer.statusCode !== 200) throw new Error(`live/sse answered ${answer.statusCode}`)
    let rest = ''
    answer.setEncoding('utf8')
    answer.on('error', () => undefined)
    answer.on('data', (chunk) => {
      const blocks = (rest + chunk).split('\n\n')
      rest = blocks.pop()
      for (const block of blocks) {
        const fields = Object.fromEntries(block.split('\n').map((line) => line.split(/: (.*)/s)))
        if (fields.data !== undefined) onEvent({ id: fields.id, data: JSON_CODEC.decode(fields.data) })
      }
    })
  })
  return asked
}

/** One connection that is kept; one request at a time. */
function poll(everyMs, urlOf) {
  return (hub, devices, phase) => {
    const tally = new Tally(devices)
    const agent = new Agent({ keepAlive: true, maxSockets: 1 })
    let busy = false
    const ask = () => {
      if (busy) return
      busy = true
      fetchSeries(hub, urlOf(tally), agent, tally, () => {
        busy = false
      })
    }
    let timer = setTimeout(() => {
      timer = setInterval(ask, everyMs)
    }, phase * everyMs)
    tally.leaving(() => {
      clearInterval(timer)
      agent.destroy()
    })
    return tally
  }
}

function lastUrl() {
  return `/api/v1/last?${new URLSearchParams({ select: SELECT })}`
}

/** From the newest time that was seen, since others may have the same; readings that are later than that are missed. */
function newsUrl({ newest }) {
  const from = newest === 0 ? '-1s' : `${newest}ms`
  return `/api/v1/history?${new URLSearchParams({ select: SELECT, from })}`
}

/** Asks `last` or `history` and counts what the answer holds. */
function fetchSeries(hub, path, agent, tally, then) {
  get(hub, path, agent, tally).on('response', (answer) => {
    const chunks = []
    answer.on('error', () => undefined)
    answer.on('data', (chunk) => chunks.push(chunk))
    answer.on('end', () => {
      const text = Buffer.concat(chunks).toString()
      if (answer.statusCode !== 200) throw new Error(`${path} answered ${answer.statusCode}: ${text}`)
      for (const one of JSON.parse(text).series) {
        for (const [time] of one.points ?? [[one.time]]) tally.saw(one.device, time)
      }
      then()
    })
  })
}

function get(hub, path, agent, tally) {
  const asked = request(hub.url + path, { agent, headers: { authorization: `Bearer ${hub.viewer}` } })
  asked.on('socket', (socket) => tally.socket(socket))
  asked.on('error', () => undefined)
  asked.end()
  return asked
}
