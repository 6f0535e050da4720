// The hub's time as the page knows it. A browser whose clock is wrong by an hour still shows the right quarter of an hour:
// the `Date` of each answer tells how far the two are apart. Below the second that `Date` can tell, they count as equal.
import { signal } from '@preact/signals'
import { onFrame, requestFrame } from './frame'

let offsetMs = 0
const TELLS_MS = 1_500

export function hubNow(): number {
  return Date.now() + offsetMs
}

export function learnHubTime(date: string | null, askedAt: number, answeredAt: number): void {
  if (date === null || answeredAt - askedAt > 5_000) return
  const told = Date.parse(date)
  if (Number.isNaN(told)) return
  // `Date` is cut to whole seconds: half a second is the middle of what it may mean.
  const apart = told + 500 - (askedAt + answeredAt) / 2
  offsetMs = Math.abs(apart) < TELLS_MS ? 0 : apart
}

/** The hub's time, moved once a second, for texts such as "3 s ago". */
export const second = signal(Math.floor(hubNow() / 1000))

onFrame(() => {
  second.value = Math.floor(hubNow() / 1000)
})
setInterval(requestFrame, 1000)
