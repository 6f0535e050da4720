// A document that can be hidden and shown, for tests of what is asked meanwhile.
import { vi } from 'vitest'

export interface StubPage {
  hide(): void
  show(): void
  /** Who waits for it to be shown. */
  listeners(): number
}

export function stubPage(): StubPage {
  const listeners = new Set<() => void>()
  const document = {
    visibilityState: 'visible',
    baseURI: 'http://hub.test/',
    addEventListener: (_: string, listener: () => void) => void listeners.add(listener),
    removeEventListener: (_: string, listener: () => void) => void listeners.delete(listener),
  }
  const put = (state: string) => {
    document.visibilityState = state
    for (const listener of [...listeners]) listener()
  }
  vi.stubGlobal('document', document)
  return { hide: () => put('hidden'), show: () => put('visible'), listeners: () => listeners.size }
}
