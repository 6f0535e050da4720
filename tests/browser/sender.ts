// A sender as anyone would write one: a WebSocket, MessagePack, batches with a sequence number that are kept until acked.
import { decode, encode } from '@msgpack/msgpack'
import WebSocket from 'ws'

export interface Reading {
  device: string
  metric: string
  value: number | boolean | string
  /** Milliseconds since 1970. */
  time?: number
  labels?: Record<string, string>
  unit?: string
  kind?: string
}

interface Answer {
  ack?: number
  retry?: number
  after_ms?: number
  stored?: number
  duplicate?: number
  rejected?: { code: string; message: string }[]
}

const RETRY_MS = 200

/** Sends batches in order over as many connections as it takes, and tells when each is acked. */
export class Sender {
  #socket: WebSocket | undefined
  #seq = 0
  #ended = false
  readonly #waiting = new Map<
    number,
    { readings: object[]; acked: (answer: Answer) => void; refused: (why: Error) => void }
  >()
  readonly #url: string
  readonly #token: string

  constructor(hubUrl: string, token: string) {
    this.#url = `${hubUrl.replace(/^http/, 'ws')}/api/v1/ingest`
    this.#token = token
    this.#connect()
  }

  /** Resolves when the hub has stored them; fails when it refused one. */
  async send(...readings: Reading[]): Promise<Answer> {
    this.#seq += 1
    const seq = this.#seq
    const mapped = readings.map(({ time, ...rest }) => ({
      ...rest,
      ...(time === undefined ? {} : { time: BigInt(Math.round(time * 1000)) * 1000n }),
    }))
    return new Promise((acked, refused) => {
      this.#waiting.set(seq, { readings: mapped, acked, refused })
      this.#write(seq)
    })
  }

  end(): void {
    this.#ended = true
    this.#socket?.terminate()
  }

  #connect(): void {
    if (this.#ended) return
    const socket = new WebSocket(this.#url, { headers: { authorization: `Bearer ${this.#token}` } })
    this.#socket = socket
    socket.on('open', () => {
      for (const seq of this.#waiting.keys()) this.#write(seq)
    })
    socket.on('message', (data: Buffer) => this.#answered(decode(data) as Answer))
    socket.on('error', () => socket.terminate())
    socket.on('close', () => setTimeout(() => this.#connect(), RETRY_MS))
  }

  #write(seq: number): void {
    const batch = this.#waiting.get(seq)
    if (batch === undefined || this.#socket?.readyState !== WebSocket.OPEN) return
    this.#socket.send(encode({ seq, readings: batch.readings }, { useBigInt64: true }))
  }

  #answered(answer: Answer): void {
    if (answer.retry !== undefined) {
      const seq = answer.retry
      setTimeout(() => this.#write(seq), answer.after_ms ?? RETRY_MS)
      return
    }
    const batch = answer.ack === undefined ? undefined : this.#waiting.get(answer.ack)
    if (answer.ack === undefined || batch === undefined) return
    this.#waiting.delete(answer.ack)
    if ((answer.rejected ?? []).length > 0) batch.refused(new Error(`refused: ${JSON.stringify(answer.rejected)}`))
    else batch.acked(answer)
  }
}
