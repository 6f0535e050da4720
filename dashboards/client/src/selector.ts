// Selectors: `DEVICE_GLOB/METRIC_GLOB{label="value"}`. Names are data, so every character that the grammar gives a meaning
// to is escaped before a name becomes part of a selector.

/** Escapes a name for the glob part of a selector: `\ * ? / { } "`. */
export function escapeGlob(name: string): string {
  return name.replace(/[\\*?/{}"]/g, '\\$&')
}

/** Escapes a label value for the inside of the quotes, where it is a glob under `=~` and plain text under `=`. */
function escapeQuoted(value: string): string {
  return value.replace(/[\\"]/g, '\\$&')
}

export interface SelectorParts {
  /** Absent: every device. */
  device?: string
  /** Absent: every metric. */
  metric?: string
  labels?: Readonly<Record<string, string>>
}

/** A selector of exactly these names; labels not named do not matter. */
export function selectorOf(parts: SelectorParts): string {
  const device = parts.device === undefined ? '*' : escapeGlob(parts.device)
  const metric = parts.metric === undefined ? '*' : escapeGlob(parts.metric)
  const labels = Object.entries(parts.labels ?? {})
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => `${name}="${escapeQuoted(value)}"`)
  return labels.length === 0 ? `${device}/${metric}` : `${device}/${metric}{${labels.join(',')}}`
}
