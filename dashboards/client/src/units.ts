// Values as people read them: SI prefixes, binary ones for bytes, a few units spelled, four figures.

const SI: readonly (readonly [number, string])[] = [
  [1e15, 'P'],
  [1e12, 'T'],
  [1e9, 'G'],
  [1e6, 'M'],
  [1e3, 'k'],
  [1, ''],
  [1e-3, 'm'],
  [1e-6, 'µ'],
  [1e-9, 'n'],
]
const BINARY: readonly (readonly [number, string])[] = [
  [2 ** 50, 'Pi'],
  [2 ** 40, 'Ti'],
  [2 ** 30, 'Gi'],
  [2 ** 20, 'Mi'],
  [2 ** 10, 'Ki'],
  [1, ''],
]

/** Seconds become minutes, hours and days, and below one the usual parts. */
const TIME: readonly (readonly [number, string])[] = [
  [86_400, 'd'],
  [3_600, 'h'],
  [60, 'min'],
  [1, 's'],
  [1e-3, 'ms'],
  [1e-6, 'µs'],
  [1e-9, 'ns'],
]

interface UnitRule {
  shown: string
  prefix: 'si' | 'si-large' | 'binary' | 'time' | 'none'
}

/** Senders write units in many ways; these are shown in one. A unit that is not here is shown as it is, without prefix. */
const RULES: Readonly<Record<string, UnitRule>> = {
  B: { shown: 'B', prefix: 'binary' },
  byte: { shown: 'B', prefix: 'binary' },
  bytes: { shown: 'B', prefix: 'binary' },
  'B/s': { shown: 'B/s', prefix: 'binary' },
  bit: { shown: 'bit', prefix: 'si-large' },
  'bit/s': { shown: 'bit/s', prefix: 'si-large' },
  Hz: { shown: 'Hz', prefix: 'si' },
  W: { shown: 'W', prefix: 'si' },
  VA: { shown: 'VA', prefix: 'si' },
  V: { shown: 'V', prefix: 'si' },
  A: { shown: 'A', prefix: 'si' },
  J: { shown: 'J', prefix: 'si' },
  Wh: { shown: 'Wh', prefix: 'si' },
  Pa: { shown: 'Pa', prefix: 'si' },
  N: { shown: 'N', prefix: 'si' },
  g: { shown: 'g', prefix: 'si' },
  m: { shown: 'm', prefix: 'si' },
  'm/s': { shown: 'm/s', prefix: 'none' },
  s: { shown: 's', prefix: 'time' },
  F: { shown: 'F', prefix: 'si' },
  Ohm: { shown: 'Ω', prefix: 'si' },
  ohm: { shown: 'Ω', prefix: 'si' },
  Ω: { shown: 'Ω', prefix: 'si' },
  degC: { shown: '°C', prefix: 'none' },
  celsius: { shown: '°C', prefix: 'none' },
  Cel: { shown: '°C', prefix: 'none' },
  C: { shown: '°C', prefix: 'none' },
  '°C': { shown: '°C', prefix: 'none' },
  percent: { shown: '%', prefix: 'none' },
  '%': { shown: '%', prefix: 'none' },
}

export interface Scale {
  /** What the value is divided by. */
  divisor: number
  /** Prefix and unit, to be shown after the number; may be empty. */
  unit: string
}

/** The prefix for values up to `largest`, so that one axis or one legend keeps one prefix. */
export function scaleFor(unit: string, largest: number): Scale {
  const rule = RULES[unit] ?? { shown: unit, prefix: unit === '' || unit === '/s' ? 'si-large' : 'none' }
  const size = Math.abs(largest)
  if (rule.prefix === 'none' || !Number.isFinite(size) || size === 0) return { divisor: 1, unit: rule.shown }
  // A bare count reads best in full up to 9999.
  if (unit === '' && size < 10_000) return { divisor: 1, unit: '' }
  if (rule.prefix === 'time') {
    const [divisor, name] = TIME.find(([factor]) => size >= factor) ?? [1, 's']
    return { divisor, unit: name }
  }
  const steps = rule.prefix === 'binary' ? BINARY : SI
  const smallest = rule.prefix === 'si' ? 0 : 1
  // Past the largest prefix none is a help.
  if (size >= 1_000 * (steps[0]?.[0] ?? 1)) return { divisor: 1, unit: rule.shown }
  for (const [factor, prefix] of steps) {
    if (factor < smallest) break
    if (size >= factor) return { divisor: factor, unit: prefix + rule.shown }
  }
  return { divisor: 1, unit: rule.shown }
}

/**
 * A number in about four figures. `decimals` is how many the sender uses: with it zeros at the end stay, and figures that
 * change keep their width; without it they go.
 */
export function formatFigures(value: number, decimals?: number): string {
  if (!Number.isFinite(value)) return '–'
  const size = Math.abs(value)
  if (size !== 0 && (size >= 1e9 || size < 1e-4)) return minus(value.toExponential(2))
  const most = size >= 1000 ? 0 : size >= 100 ? 1 : size >= 1 ? 2 : size >= 0.01 ? 3 : 5
  if (decimals === undefined) {
    return minus(Number.isInteger(value) && size < 1e6 ? String(value) : String(Number(value.toFixed(most))))
  }
  return minus(value.toFixed(Math.min(decimals, most)))
}

/** Number and unit apart, for those who set them differently. */
export function formatParts(value: number, unit: string, decimals?: number): { figures: string; unit: string } {
  const scale = scaleFor(unit, value)
  if (scale.divisor === 1) return { figures: formatFigures(value, decimals), unit: scale.unit }
  const scaled = value / scale.divisor
  const size = Math.abs(scaled)
  return { figures: formatFigures(scaled, size >= 100 ? 0 : size >= 10 ? 1 : 2), unit: scale.unit }
}

export function formatValue(value: number, unit: string, decimals?: number): string {
  const parts = formatParts(value, unit, decimals)
  return parts.unit === '' ? parts.figures : `${parts.figures} ${parts.unit}`
}

/** How many decimals a value was written with, up to `most`. */
export function decimalsOf(value: number, most = MOST_DECIMALS): number {
  for (let decimals = 0; decimals < most; decimals += 1) {
    const shifted = value * 10 ** decimals
    if (Math.abs(shifted - Math.round(shifted)) < 1e-7 * Math.max(1, Math.abs(shifted))) return decimals
  }
  return most
}

/** More are not shown. */
export const MOST_DECIMALS = 4

/** The unit as it is shown, without prefix. */
export function unitName(unit: string): string {
  return RULES[unit]?.shown ?? unit
}

/** Unit of the rate of a counter. */
export function perSecond(unit: string): string {
  if (unit === 's') return ''
  return `${RULES[unit]?.shown ?? unit}/s`
}

/** Hyphen to minus sign: figures then keep their width. */
function minus(text: string): string {
  return text.replace('-', '\u2212')
}
