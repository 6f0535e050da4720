// A small plant that always reads the same: each series is a function of time.
import type { DeviceStateEntry, SeriesDescription, Value } from '@telltale/client'

export const NOW = Date.UTC(2026, 10, 30, 14, 0, 0)
export const MINUTE = 60_000
export const HOUR = 60 * MINUTE

export interface Source extends SeriesDescription {
  stepMs: number
  at(time: number): Value
  /** No reading came then: [from, to). */
  silent?: readonly [number, number]
}

/** From -1 to 1, once in so many minutes. */
export function wave(time: number, minutes: number, phase = 0): number {
  return Math.sin((time / minutes / MINUTE) * 2 * Math.PI + phase)
}

export function source(device: string, metric: string, at: Source['at'], rest: Partial<Source> = {}): Source {
  return { device, metric, labels: {}, unit: '', kind: 'gauge', stepMs: 2_000, at, ...rest }
}

const to2 = (value: number) => Math.round(value * 100) / 100

const temperature = (t: number) => to2(61 + 2.4 * wave(t, 8))

export const SILENCE = [NOW - 9 * MINUTE, NOW - 6 * MINUTE] as const
export const boiler = source('boiler', 'temperature', temperature, { unit: '°C', silent: SILENCE })
/** The same, from a device that has not been heard of for five minutes. */
export const gone = source('old-boiler', 'temperature', temperature, {
  unit: '°C',
  silent: [NOW - 5 * MINUTE, NOW + HOUR],
})
export const outdoor = source(
  'roof',
  'outdoor',
  (t) => to2(4 + 6 * wave(t, 1440, -2) + 1.5 * wave(t, 4_320) + 0.8 * wave(t, 7) + 0.3 * wave(t, 1.3)),
  {
    unit: '°C',
    stepMs: 10_000,
  },
)
export const received = source('gateway-1', 'net.received', (t) => bytesSince(t), { unit: 'B', kind: 'counter' })
export const power = source('boiler', 'power', (t) => Math.round(2400 + 800 * wave(t, 4)), { unit: 'W' })
export const refusing = source('vault', 'pressure', () => 1, { unit: 'bar', silent: [0, NOW + HOUR] })
export const silentOne = source('shed', 'humidity', () => 50, { unit: '%', silent: [0, NOW + HOUR] })

/** Rises, and began at 0 again four minutes ago. */
function bytesSince(time: number): number {
  const began = time < NOW - 4 * MINUTE ? NOW - 24 * HOUR : NOW - 4 * MINUTE
  return Math.round((time - began) * 180 + 40_000 * (1 + wave(time, 3)))
}

/** As many lines as there are colours, one above the other. */
export const cores = Array.from({ length: 8 }, (_, i) =>
  source('gateway-1', 'cpu.usage', (t) => to2(8 + 11 * i + 4 * wave(t, 5, i)), {
    unit: '%',
    labels: { cpu: `cpu${i}` },
  }),
)
/** More lines than a chart draws. */
export const cells = Array.from({ length: 40 }, (_, i) =>
  source('battery', 'cell.voltage', (t) => to2(3.3 + 0.01 * i + 0.05 * wave(t, 6, i / 6)), {
    unit: 'V',
    labels: { cell: String(i + 1) },
    stepMs: 10_000,
  }),
)
export const states = [
  source('boiler', 'pump.running', (t) => wave(t, 5) > -0.3, { kind: 'state' }),
  source('boiler', 'mode', (t) => (wave(t, 11) > 0 ? 'heating' : wave(t, 4) > 0.6 ? 'defrost' : 'idle'), {
    kind: 'text',
  }),
  source('boiler', 'stage', (t) => Math.floor((t / MINUTE / 3) % 4), { kind: 'state' }),
]

export const devices: DeviceStateEntry[] = [
  { device: 'boiler', state: 'online', seen: NOW - 1_000, since: NOW - 9 * HOUR, via: 'gateway-1' },
  { device: 'old-boiler', state: 'silent', seen: NOW - 5 * MINUTE, since: NOW - 4 * MINUTE, via: 'gateway-1' },
  { device: 'gateway-1', state: 'online', seen: NOW - 500, since: NOW - 9 * HOUR },
]

/** Readings of [from, to), at whole steps. */
export function readings(of: Source, from: number, to: number, stepMs = of.stepMs): [number, Value][] {
  const found: [number, Value][] = []
  for (let t = Math.ceil(from / stepMs) * stepMs; t < to; t += stepMs) {
    if (of.silent === undefined || t < of.silent[0] || t >= of.silent[1]) found.push([t, of.at(t)])
  }
  return found
}
