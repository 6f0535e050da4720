// What a live message costs to read: JSON, the decoder of this package, and that of @msgpack/msgpack where it is installed.
//
//   npm run build && node dev/decoders.mjs        # after `npm install --no-save @msgpack/msgpack` for the third
//
// The message is an update of 100 series with one reading each, as a hub sends it at 1 Hz, and one of 10,000 readings.

import { readFileSync } from 'node:fs'
import { gzipSync } from 'node:zlib'
import { EXACT_CODEC, JSON_CODEC, MSGPACK_CODEC } from '../dist/codec.js'

const general = await import('@msgpack/msgpack').catch(() => undefined)
const NOW = 1_795_396_030_123n * 1_000_000n

function update(count) {
  const points = Array.from({ length: count }, (_, i) => [i % 100, NOW + BigInt(i) * 1_000_000n, 20 + (i % 97) / 10])
  return { type: 'update', id: 's1', cursor: '00000000000000ff-1f', points }
}

function json(message) {
  const ms = message.points.map(([series, time, value]) => [series, Number(time / 1_000_000n), value])
  return JSON.stringify({ ...message, points: ms })
}

/** As the hub writes it: the shortest form of each integer, floats in 64 bits. */
function msgpack(message) {
  const out = []
  const text = (words) => out.push(Buffer.from([0xa0 | words.length]), Buffer.from(words))
  out.push(Buffer.from([0x84]))
  for (const key of ['type', 'id', 'cursor']) {
    text(key)
    text(message[key])
  }
  text('points')
  const head = Buffer.alloc(3)
  head.writeUInt8(0xdc)
  head.writeUInt16BE(message.points.length, 1)
  out.push(head)
  for (const [series, time, value] of message.points) {
    const point = Buffer.alloc(20)
    point.set([0x93, series, 0xcf])
    point.writeBigUInt64BE(time, 3)
    point.writeUInt8(0xcb, 11)
    point.writeDoubleBE(value, 12)
    out.push(point)
  }
  return new Uint8Array(Buffer.concat(out))
}

/** CPU, not wall: nanoseconds a reading, the best of several runs. */
function cost(run, count) {
  const rounds = Math.ceil(1_000_000 / count)
  let best = Number.POSITIVE_INFINITY
  for (let turn = 0; turn < 5; turn += 1) {
    const before = process.cpuUsage()
    for (let i = 0; i < rounds; i += 1) run()
    const { user, system } = process.cpuUsage(before)
    best = Math.min(best, ((user + system) * 1000) / (rounds * count))
  }
  return best.toFixed(0)
}

console.log(`node ${process.version}, ${process.arch}`)
for (const count of [100, 10_000]) {
  const message = update(count)
  const text = json(message)
  const bytes = msgpack(message)
  const rows = [
    ['JSON', text.length, () => JSON_CODEC.decode(text)],
    ['JSON.parse alone, unchecked', text.length, () => JSON.parse(text)],
    ['msgpack, ms', bytes.length, () => MSGPACK_CODEC.decode(bytes)],
    ['msgpack, exact', bytes.length, () => EXACT_CODEC.decode(bytes)],
  ]
  if (general !== undefined) {
    const decoder = new general.Decoder({ useBigInt64: true })
    rows.push(['@msgpack/msgpack alone, bigint, unchecked', bytes.length, () => decoder.decode(bytes)])
    const rounded = new general.Decoder()
    rows.push(['@msgpack/msgpack alone, rounded, unchecked', bytes.length, () => rounded.decode(bytes)])
  }
  for (const [name, size, run] of rows) {
    run()
    console.log(`${count} readings, ${name}: ${(size / count).toFixed(1)} B and ${cost(run, count)} ns a reading`)
  }
}
const source = readFileSync(new URL('../dist/msgpack.js', import.meta.url))
console.log(`dist/msgpack.js: ${source.length} B, ${gzipSync(source).length} B gzipped`)
