// The lines that were switched off, as a link says them: five letters for each, made of the key of its series, so that a link stays
// short and means the same lines when others come or go. Pure.

const LETTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
const LENGTH = 5
const BITS_EACH = 6
const BITS = LENGTH * BITS_EACH
const WHOLE = new RegExp(`[\\w-]{${LENGTH}}`, 'g')

export type Hidden = ReadonlySet<string>

export const NONE_HIDDEN: Hidden = new Set()

/** What a link says; what is no code is left out. */
export function hiddenOf(text: string): Hidden {
  return new Set(text.match(WHOLE) ?? [])
}

export function hiddenText(hidden: Hidden): string {
  return [...hidden].join('')
}

/** With one line switched over. Of lines that are not among those that are known nothing is kept: a link does not grow for ever. */
export function toggled(hidden: Hidden, key: string, known: Iterable<string>): Hidden {
  const codes = new Set([...known].map(codeOf))
  const next = new Set([...hidden].filter((code) => codes.has(code)))
  if (!next.delete(codeOf(key))) next.add(codeOf(key))
  return next
}

/** FNV-1a of the key, folded to 30 bits. Links are kept: it must not change. */
export function codeOf(key: string): string {
  let hash = 0x811c9dc5
  for (let i = 0; i < key.length; i += 1) hash = Math.imul(hash ^ key.charCodeAt(i), 0x01000193)
  const folded = (hash >>> BITS) ^ (hash & (2 ** BITS - 1))
  return Array.from({ length: LENGTH }, (_, i) => LETTERS[(folded >>> (BITS_EACH * i)) & (LETTERS.length - 1)]).join('')
}
