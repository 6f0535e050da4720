// What the list of devices is fed by: the devices themselves by REST, page after page, and live values of those in view.
import { effect, signal } from '@preact/signals'
import { type Device, fetchDevices } from '../../api'
import { repeated } from '../../hidden'
import { type Watch, watch } from '../../live'
import { ApiError, failureText } from '../../rest'
import { session } from '../../session'
import type { Listed } from './list'

/** Rows of one answer. */
const PAGE = 1_000
/** A last value needs no ring; a few points are kept so that a late one does not push out the newest. */
const RING = 8
/** Figures that change faster than this cannot be read. */
const MAX_HZ = 5
const REFRESH_MS = 10_000
/** A long list is asked for less often: live tells of what is in view. */
const REFRESH_MANY_MS = 60_000

/** Kept when the page is left, so that coming back shows it at once. */
export const listed = signal<Listed | undefined>(undefined)
export const listError = signal('')

/** The newest asking: what one before it finds is not shown any more. */
let asking = 0

effect(() => {
  if (session.value.phase === 'in') return
  // The next who logs in may see others, and nothing of what is on its way.
  asking += 1
  listed.value = undefined
})

/** Asks for all devices; a first list is shown page by page, a later one put in place whole. */
export async function reload(): Promise<void> {
  asking += 1
  const mine = asking
  const first = listed.peek() === undefined
  try {
    let devices: Device[] = []
    let after: string | undefined
    do {
      const page = await fetchDevices(PAGE, after)
      if (mine !== asking) return
      devices = [...devices, ...page.devices]
      after = page.next
      if (first || after === undefined) listed.value = { devices, whole: after === undefined }
    } while (after !== undefined)
    listError.value = ''
  } catch (caught) {
    // The connection's own line tells of a hub that is away.
    const isGone = caught instanceof ApiError && caught.status === 0
    if (mine === asking) listError.value = isGone ? '' : failureText(caught, 'The devices could not be read.')
  }
}

/** Keeps the list fresh until it is told to stop. */
export function keepFresh(): () => void {
  const isMany = () => (listed.peek()?.devices.length ?? 0) > PAGE
  return repeated(() => (isMany() ? REFRESH_MANY_MS : REFRESH_MS), reload)
}

/** Live subscriptions that follow what is in view: one that is wanted again stays as it is. */
export class Feed {
  #watches = new Map<string, Watch>()

  get watches(): readonly Watch[] {
    return [...this.#watches.values()]
  }

  want(groups: readonly string[][]): void {
    const next = new Map<string, Watch>()
    for (const group of groups) {
      const key = group.join('\n')
      next.set(key, this.#watches.get(key) ?? watch({ select: group, maxHz: MAX_HZ }, { ringBound: RING }))
    }
    for (const [key, old] of this.#watches) if (!next.has(key)) old.stop()
    this.#watches = next
  }

  stop(): void {
    this.want([])
  }
}
