// MessagePack as the hub's live messages use it: maps with text keys, arrays, text, numbers, bools, nil. No extension types,
// no bytes. A small decoder of our own, since times need care that a general one does not take: 64-bit integers become
// milliseconds or bigint as they are read, and which of the two an integer is depends on its place.
//
// Invariants: room is made as items come, never by what a frame declares, and each item takes a byte; nesting is bounded.

import { type ClientMessage, ProtocolError } from './protocol.js'
import { decodeUtf8, encodeUtf8 } from './surroundings.js'

/** Keys whose integers are times; in `points` it is the last but one of each point. */
const TIMES: ReadonlySet<string> = new Set(['from', 'to', 'since', 'seen'])
const POINTS = 'points'
const DEEPEST = 16
/** Shorter texts are put together by hand, which is quicker than a TextDecoder. */
const SHORT_TEXT = 24

/** Times as milliseconds, and integers as numbers; or times as nanoseconds and integers beyond 2^53 as bigint. */
export type Precision = 'ms' | 'ns'

/** What stands in one frame. What is not well-formed is a `ProtocolError`. */
export function decodeMsgpack(bytes: Uint8Array, precision: Precision): unknown {
  const reader = new Reader(bytes, precision === 'ns')
  try {
    const value = reader.value(0)
    if (reader.left > 0) throw new ProtocolError(`${reader.left} bytes follow the message in a frame`)
    return value
  } catch (error) {
    if (error instanceof RangeError) throw new ProtocolError(`a frame of ${bytes.length} bytes ends too early`)
    throw error
  }
}

class Reader {
  readonly #bytes: Uint8Array
  readonly #view: DataView
  readonly #exact: boolean
  #at = 0

  constructor(bytes: Uint8Array, exact: boolean) {
    this.#bytes = bytes
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.#exact = exact
  }

  get left(): number {
    return this.#bytes.length - this.#at
  }

  value(depth: number): unknown {
    const head = this.#view.getUint8(this.#at)
    this.#at += 1
    if (head < 0x80) return head
    if (head < 0x90) return this.#map(head & 0x0f, depth)
    if (head < 0xa0) return this.#array(head & 0x0f, depth)
    if (head < 0xc0) return this.#text(head & 0x1f)
    if (head >= 0xe0) return head - 0x100
    switch (head) {
      case 0xc0:
        return null
      case 0xc2:
        return false
      case 0xc3:
        return true
      case 0xca:
        return this.#view.getFloat32(this.#step(4))
      case 0xcb:
        return this.#view.getFloat64(this.#step(8))
      case 0xcf:
      case 0xd3:
        return this.#wide(this.#step(8), head === 0xd3)
      case 0xd9:
        return this.#text(this.#view.getUint8(this.#step(1)))
      case 0xda:
        return this.#text(this.#view.getUint16(this.#step(2)))
      case 0xdb:
        return this.#text(this.#view.getUint32(this.#step(4)))
      case 0xdc:
        return this.#array(this.#view.getUint16(this.#step(2)), depth)
      case 0xdd:
        return this.#array(this.#view.getUint32(this.#step(4)), depth)
      case 0xde:
        return this.#map(this.#view.getUint16(this.#step(2)), depth)
      case 0xdf:
        return this.#map(this.#view.getUint32(this.#step(4)), depth)
      default:
        return this.#narrow(head)
    }
  }

  /** An integer of up to 32 bits. */
  #narrow(head: number): number {
    switch (head) {
      case 0xcc:
        return this.#view.getUint8(this.#step(1))
      case 0xcd:
        return this.#view.getUint16(this.#step(2))
      case 0xce:
        return this.#view.getUint32(this.#step(4))
      case 0xd0:
        return this.#view.getInt8(this.#step(1))
      case 0xd1:
        return this.#view.getInt16(this.#step(2))
      case 0xd2:
        return this.#view.getInt32(this.#step(4))
      default:
        throw new ProtocolError(`a frame holds the byte 0x${head.toString(16)} where a value begins`)
    }
  }

  /** An integer of 64 bits that is not a time. */
  #wide(at: number, signed: boolean): number | bigint {
    const high = signed ? this.#view.getInt32(at) : this.#view.getUint32(at)
    const near = high * 2 ** 32 + this.#view.getUint32(at + 4)
    if (!this.#exact || Number.isSafeInteger(near)) return near
    return signed ? this.#view.getBigInt64(at) : this.#view.getBigUint64(at)
  }

  /** A time, or whatever else stands where a time may be, such as the value of a label of that name. */
  #time(depth: number): unknown {
    const head = this.#view.getUint8(this.#at)
    if (head === 0xcf || head === 0xd3) {
      const at = this.#step(9) + 1
      if (this.#exact) return head === 0xd3 ? this.#view.getBigInt64(at) : this.#view.getBigUint64(at)
      const high = head === 0xd3 ? this.#view.getInt32(at) : this.#view.getUint32(at)
      return milliseconds(high, this.#view.getUint32(at + 4))
    }
    const value = this.value(depth)
    if (typeof value !== 'number' || !Number.isInteger(value)) return value
    return this.#exact ? BigInt(value) : value / 1e6
  }

  #map(count: number, depth: number): Record<string, unknown> {
    this.#nest(depth)
    const map: Record<string, unknown> = {}
    for (let i = 0; i < count; i += 1) {
      const key = this.value(depth + 1)
      if (typeof key !== 'string') throw new ProtocolError(`a key in a frame is not text: ${String(key)}`)
      const value = TIMES.has(key)
        ? this.#time(depth + 1)
        : key === POINTS
          ? this.#points(depth + 1)
          : this.value(depth + 1)
      // A label may have any name; as a plain assignment this one would change the map's prototype.
      if (key === '__proto__') Object.defineProperty(map, key, { value, enumerable: true })
      else map[key] = value
    }
    return map
  }

  #array(count: number, depth: number): unknown[] {
    this.#nest(depth)
    const array: unknown[] = []
    for (let i = 0; i < count; i += 1) array.push(this.value(depth + 1))
    return array
  }

  #points(depth: number): unknown {
    const count = this.#arrayLength()
    if (count === undefined) return this.value(depth)
    this.#nest(depth)
    const points: unknown[] = []
    for (let i = 0; i < count; i += 1) points.push(this.#point(depth + 1))
    return points
  }

  /** `[time, value]` or `[series, time, value]`. */
  #point(depth: number): unknown {
    const count = this.#arrayLength()
    if (count === undefined) return this.value(depth)
    this.#nest(depth)
    const point: unknown[] = []
    for (let i = 0; i < count; i += 1) point.push(i === count - 2 ? this.#time(depth + 1) : this.value(depth + 1))
    return point
  }

  /** Undefined, with nothing read, when what follows is no array. */
  #arrayLength(): number | undefined {
    const head = this.#view.getUint8(this.#at)
    if (head >= 0x90 && head < 0xa0) {
      this.#at += 1
      return head & 0x0f
    }
    if (head === 0xdc) return this.#view.getUint16(this.#step(3) + 1)
    if (head === 0xdd) return this.#view.getUint32(this.#step(5) + 1)
    return undefined
  }

  #text(length: number): string {
    const from = this.#step(length)
    if (from + length > this.#bytes.length) throw new RangeError('a text ends too early')
    if (length < SHORT_TEXT) {
      let text = ''
      for (let i = from; i < from + length; i += 1) {
        const byte = this.#bytes[i] ?? 0
        if (byte >= 0x80) return decodeUtf8(this.#bytes.subarray(from, from + length))
        text += String.fromCharCode(byte)
      }
      return text
    }
    return decodeUtf8(this.#bytes.subarray(from, from + length))
  }

  #step(bytes: number): number {
    const from = this.#at
    this.#at += bytes
    return from
  }

  #nest(depth: number): void {
    if (depth >= DEEPEST) throw new ProtocolError(`a frame nests deeper than ${DEEPEST}`)
  }
}

/** 2^32 ns are 4,294 ms and 967,296 ns; so split, every step but the last is exact. */
function milliseconds(high: number, low: number): number {
  const rest = high * 967_296 + low
  const whole = Math.floor(rest / 1e6)
  return high * 4294 + whole + (rest - whole * 1e6) / 1e6
}

/** One message to the hub. */
export function encodeMsgpack(message: ClientMessage): Uint8Array {
  const out: number[] = []
  const entries = Object.entries(message).filter(([, value]) => value !== undefined)
  out.push(0x80 | entries.length)
  for (const [key, value] of entries) {
    pushText(out, key)
    if (typeof value === 'string') pushText(out, value)
    else if (typeof value === 'number') pushNumber(out, value)
    else pushTexts(out, value ?? [])
  }
  return Uint8Array.from(out)
}

function pushTexts(out: number[], texts: readonly string[]): void {
  out.push(0xdc, texts.length >>> 8, texts.length & 0xff)
  for (const text of texts) pushText(out, text)
}

function pushText(out: number[], text: string): void {
  const bytes = encodeUtf8(text)
  if (bytes.length < 32) out.push(0xa0 | bytes.length)
  else
    out.push(0xdb, bytes.length >>> 24, (bytes.length >>> 16) & 0xff, (bytes.length >>> 8) & 0xff, bytes.length & 0xff)
  for (const byte of bytes) out.push(byte)
}

/** Whole numbers as integers, since `points` takes no other. */
function pushNumber(out: number[], value: number): void {
  const view = new DataView(new ArrayBuffer(8))
  if (Number.isInteger(value) && value >= 0 && value < 2 ** 32) {
    view.setUint32(0, value)
    out.push(0xce, ...new Uint8Array(view.buffer, 0, 4))
    return
  }
  view.setFloat64(0, value)
  out.push(0xcb, ...new Uint8Array(view.buffer))
}
