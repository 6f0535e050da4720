// The state of a device as a sign and a word: one word for one state on all pages.
import type { DeviceState } from '@telltale/client'

export const STATE_WORDS: Readonly<Record<DeviceState, { word: string; tone: string; hint: string }>> = {
  online: { word: 'online', tone: 'good', hint: 'Readings arrive' },
  silent: { word: 'silent', tone: 'wait', hint: 'Connected, but no reading for much longer than usual' },
  offline: { word: 'unreachable', tone: 'bad', hint: 'No gateway has a connection that brings it' },
  unknown: { word: 'unknown', tone: 'none', hint: 'Nothing heard since the hub started' },
}

export function StateDot({ state, word = false }: { state: DeviceState; word?: boolean }) {
  const told = STATE_WORDS[state]
  return (
    <span class={`state tone-${told.tone}`} title={`${told.word}: ${told.hint}`}>
      <i class="dot" />
      <span class={word ? '' : 'visually-hidden'}>{told.word}</span>
    </span>
  )
}
