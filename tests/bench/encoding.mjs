// What a JavaScript engine takes to decode live frames: JSON.parse beside @msgpack/msgpack, with times as BigInt or as numbers.
// node tests/bench/encoding.mjs DIR, where DIR is what `make bench BENCH=encoding` wrote; the decoder is that of tests/browser.
import { readdirSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'

const dir = process.argv[2]
const require = createRequire(new URL('../browser/package.json', import.meta.url))
const { Decoder } = require('@msgpack/msgpack')

// The payload behind the header of an unmasked WebSocket frame.
function payload(bytes) {
  const short = bytes[1]
  return bytes.subarray(short === 126 ? 4 : short === 127 ? 10 : 2)
}

function measure(decode, points) {
  for (let i = 0; i < 300; i++) decode()
  const rounds = Math.ceil(1_000_000 / points)
  const before = process.cpuUsage()
  let seen = 0
  for (let i = 0; i < rounds; i++) seen += decode().points.length
  const { user, system } = process.cpuUsage(before)
  if (seen !== rounds * points) throw new Error(`${seen} points instead of ${rounds * points}`)
  return ((user + system) * 1000) / seen
}

for (const name of readdirSync(dir).filter((file) => file.endsWith('.json'))) {
  const text = payload(readFileSync(join(dir, name))).toString()
  const packed = payload(readFileSync(join(dir, name.replace(/json$/, 'msgpack'))))
  const points = JSON.parse(text).points.length
  const ways = {
    'JSON.parse': () => JSON.parse(text),
    'JSON from bytes': () => JSON.parse(new TextDecoder().decode(payload(readBytes))),
    msgpack: () => numbers.decode(packed),
    'msgpack, times exact': () => exact.decode(packed),
  }
  const readBytes = readFileSync(join(dir, name))
  const numbers = new Decoder()
  const exact = new Decoder({ useBigInt64: true })
  const figures = Object.entries(ways).map(([way, decode]) => `${way} ${measure(decode, points).toFixed(0)} ns`)
  console.log(`${name.replace('.json', '')}, a point: ${figures.join(', ')}`)
}
