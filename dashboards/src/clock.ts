// The hub's time as the page knows it. A browser whose clock is wrong by an hour still shows the right quarter of an hour:
// the `Date` of each answer tells between what bounds the two are apart, and each answer brings the bounds closer. As long as they
// may be equal they count as equal.
import { signal } from '@preact/signals'
import { onFrame, requestFrame } from './frame'

let offsetMs = 0
/** Between what the hub's clock may be ahead of the browser's. */
let apart = { least: Number.NEGATIVE_INFINITY, most: Number.POSITIVE_INFINITY, at: 0 }
/** An answer that took longer tells too little. */
const SLOW_MS = 5_000
/** Clocks of two machines go apart by less than this part of the time that passes. */
const DRIFT = 1e-4

export function hubNow(): number {
  return Date.now() + offsetMs
}

export function learnHubTime(date: string | null, askedAt: number, answeredAt: number): void {
  const told = date === null ? Number.NaN : Date.parse(date)
  if (Number.isNaN(told) || answeredAt - askedAt > SLOW_MS || answeredAt < askedAt) return
  // It was written between asking and answer, and is cut to whole seconds.
  const now = { least: told - answeredAt, most: told + 1_000 - askedAt, at: answeredAt }
  const drift = Math.abs(answeredAt - apart.at) * DRIFT
  const both = {
    least: Math.max(now.least, apart.least - drift),
    most: Math.min(now.most, apart.most + drift),
    at: answeredAt,
  }
  // What cannot both be true: one of the clocks was put right since.
  apart = both.least <= both.most ? both : now
  offsetMs = apart.least <= 0 && apart.most >= 0 ? 0 : (apart.least + apart.most) / 2
}

/** The hub's time, moved once a second, for texts such as "3 s ago". */
export const second = signal(Math.floor(hubNow() / 1000))

onFrame(() => {
  second.value = Math.floor(hubNow() / 1000)
})
setInterval(requestFrame, 1000)
