// The one crosshair of the page: the time it stands at in ms, shared by all charts of a page.
import { signal } from '@preact/signals'

export const hoverTime = signal<number | undefined>(undefined)
