// What the gallery shows, in order.
import type { ComponentType } from 'preact'
import { CHARTS } from './charts'
import { PARTS } from './parts'
import { SCREENS } from './screens'

export interface Specimen {
  /** Also the id of its section, for tests. */
  name: string
  title: string
  says?: string
  show: ComponentType
}

export const SPECIMENS: readonly Specimen[] = [...CHARTS, ...PARTS, ...SCREENS]
