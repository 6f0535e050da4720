// The state of a device as a dot and a word.
import type { DeviceState } from '@telltale/client'

const WORDS: Readonly<Record<DeviceState, { tone: string; hint: string }>> = {
  online: { tone: 'good', hint: 'Readings arrive' },
  silent: { tone: 'wait', hint: 'Connected, but no reading for much longer than usual' },
  offline: { tone: 'bad', hint: 'No connection brings this device' },
  unknown: { tone: 'none', hint: 'Nothing heard since the hub started' },
}

export function StateDot({ state, word = false }: { state: DeviceState; word?: boolean }) {
  const { tone, hint } = WORDS[state]
  return (
    <span class={`state tone-${tone}`} title={hint}>
      <i class="dot" />
      <span class={word ? '' : 'visually-hidden'}>{state}</span>
    </span>
  )
}
