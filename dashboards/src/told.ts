// What the hub told, before it is looked at. Its type is that of the hub's own document (`api-types`), so a name or a type that
// the document has not is a mistake of the compiler's; what comes from a hub of another version is nothing, 0 or empty here
// instead of an error half-way through a page.
import type { components } from './api-types'

export type Schemas = components['schemas']

declare const said: unique symbol

/** Should be a `T`; nobody has looked yet. */
export interface Told<T> {
  readonly [said]?: T
}

export function told<T>(raw: unknown): Told<T> {
  return raw as Told<T>
}

/** Whether a `V` is among what the document allows: else it is read as what it never is. */
type May<T, V> = unknown extends T ? unknown : [Extract<T, V>] extends [never] ? never : unknown

export type Fields<T> = { readonly [K in keyof NonNullable<T>]-?: Told<NonNullable<T>[K]> }

export function map<T>(raw: Told<T>): Fields<T> {
  return (typeof raw === 'object' && raw !== null ? raw : {}) as Fields<T>
}

export function list<T>(raw: Told<readonly T[] | null | undefined>): readonly Told<T>[] {
  return Array.isArray(raw) ? raw : []
}

export function text<T>(raw: Told<T> & May<T, string>): string {
  return typeof raw === 'string' ? raw : ''
}

export function number<T>(raw: Told<T> & May<T, number>, otherwise = 0): number {
  return typeof raw === 'number' ? raw : otherwise
}

export function flag<T>(raw: Told<T> & May<T, boolean>): boolean {
  return (raw as unknown) === true
}

/** Undefined where the hub says nothing. */
export function optional<T>(raw: Told<T> & May<T, number>): number | undefined {
  return typeof raw === 'number' ? raw : undefined
}

/** A table of figures by name. */
export function numbers(raw: Told<Readonly<Record<string, number>>>): Record<string, number> {
  const known = Object.entries(map(raw)).flatMap(([name, value]) =>
    typeof value === 'number' ? [[name, value] as const] : [],
  )
  return Object.fromEntries(known)
}
