// The one crosshair of the page: the time it stands at in ms, shared by all charts and timelines of a page.
import { signal } from '@preact/signals'

export const hoverTime = signal<number | undefined>(undefined)
/** The same where the pointer is on a timeline: charts then put their line there, as they do by themselves for each other. */
export const timelineHover = signal<number | undefined>(undefined)
