// 100 devices, each with a reading a second at a phase of its own, sent by one agent as they come. It knows when each left.
import { EventEmitter } from 'node:events'
import { createRequire } from 'node:module'
import { decodeMsgpack } from '../../../dashboards/client/dist/msgpack.js'

/** The page's development tools have it. */
export const WebSocket = createRequire(new URL('../../../dashboards/package.json', import.meta.url))('ws')

export const DEVICES = 100
const METRIC = 'temperature'
const EVERY_MS = 1_000
/** When a reading left is asked for soon after, or never. */
const REMEMBERED = 20_000

export class Devices {
  /** How many readings have been sent. */
  count = 0
  #hub
  #socket
  #timers = []
  #left = new Map()
  /** Acks come in the order of the readings. */
  #unacked = []
  /** Says `stored` and the device when the hub has its reading on disk. */
  events = new EventEmitter().setMaxListeners(0)

  constructor(hub) {
    this.#hub = hub
  }

  async start() {
    const headers = { authorization: `Bearer ${this.#hub.agent}` }
    this.#socket = new WebSocket(`${this.#hub.url.replace('http', 'ws')}/api/v1/ingest`, { headers })
    await new Promise((opened, failed) => {
      this.#socket.once('open', opened)
      this.#socket.once('error', failed)
    })
    this.#socket.on('message', (data) => {
      const answer = decodeMsgpack(data, 'ms')
      if (answer.stored !== 1) throw new Error(`the hub did not take a reading: ${JSON.stringify(answer)}`)
      this.events.emit('stored', this.#unacked.shift())
    })
    for (let i = 0; i < DEVICES; i += 1) {
      const begin = () => this.#timers.push(setInterval(() => this.#send(i), EVERY_MS))
      this.#timers.push(setTimeout(begin, (i * EVERY_MS) / DEVICES))
    }
  }

  stop() {
    for (const timer of this.#timers) clearInterval(timer)
    this.#socket?.close()
  }

  /** When the reading of this device and time (ms) was sent, on this program's clock; undefined for none of ours. */
  leftAt(device, time) {
    return this.#left.get(`${device} ${time}`)
  }

  #send(i) {
    const device = `device-${String(i).padStart(3, '0')}`
    const time = Date.now()
    const value = Math.round(200 + 50 * Math.sin(time / 60_000 + i) + Math.random()) / 10
    this.count += 1
    this.#left.set(`${device} ${time}`, performance.now())
    if (this.#left.size > REMEMBERED) this.#left.delete(this.#left.keys().next().value)
    this.#unacked.push(device)
    this.#socket.send(reading(device, time, value))
  }
}

/** `{seq, readings: [{device, metric, time, value}]}` in MessagePack: time as integer of nanoseconds, value as a float. */
function reading(device, timeMs, value) {
  const text = (words) => [0xa0 | words.length, ...Buffer.from(words)]
  const numbers = Buffer.alloc(16)
  numbers.writeBigUInt64BE(BigInt(timeMs) * 1_000_000n, 0)
  numbers.writeDoubleBE(value, 8)
  const [time, number] = [numbers.subarray(0, 8), numbers.subarray(8)]
  const names = [...text('device'), ...text(device), ...text('metric'), ...text(METRIC)]
  const batch = [0x82, ...text('seq'), 0, ...text('readings'), 0x91]
  return Buffer.from([...batch, 0x84, ...names, ...text('time'), 0xcf, ...time, ...text('value'), 0xcb, ...number])
}
