// How messages travel on one connection: JSON text, or MessagePack by subprotocol with times as milliseconds or nanoseconds.

import { decodeMsgpack, encodeMsgpack, type Precision } from './msgpack.js'
import {
  type ClientMessage,
  decodeMessage,
  type Form,
  type HubMessage,
  MILLISECONDS,
  NANOSECONDS,
  ProtocolError,
  readMessage,
  type Time,
} from './protocol.js'

export const MSGPACK_PROTOCOL = 'telltale.live.v1.msgpack'

export interface Codec<T extends Time> {
  /** The subprotocol to ask for; undefined: none, which is JSON. */
  readonly protocol: string | undefined
  encode(message: ClientMessage): string | Uint8Array
  /** Null for a message of a type that is not known here. */
  decode(data: unknown): HubMessage<T> | null
}

export const JSON_CODEC: Codec<number> = {
  protocol: undefined,
  encode: (message) => JSON.stringify(message),
  decode: (data) => {
    if (typeof data !== 'string') throw new ProtocolError('a binary frame came on a JSON connection')
    return decodeMessage(data)
  },
}

export const MSGPACK_CODEC: Codec<number> = msgpack('ms', MILLISECONDS)
export const EXACT_CODEC: Codec<bigint> = msgpack('ns', NANOSECONDS)

function msgpack<T extends Time>(precision: Precision, form: Form<T>): Codec<T> {
  return {
    protocol: MSGPACK_PROTOCOL,
    encode: encodeMsgpack,
    decode: (data) => readMessage(decodeMsgpack(bytesOf(data), precision), form),
  }
}

function bytesOf(data: unknown): Uint8Array {
  if (data instanceof Uint8Array) return data
  if (data instanceof ArrayBuffer) return new Uint8Array(data)
  throw new ProtocolError(
    typeof data === 'string'
      ? 'a text frame came on a MessagePack connection'
      : 'a binary frame is no ArrayBuffer: the WebSocket ignores binaryType',
  )
}
