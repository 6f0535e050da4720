// The colours of lines, as the style sheet has them: seen against both papers, and told apart with every kind of colour vision.
import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { LINE_COLOURS } from '../src/theme'

type Triple = readonly [number, number, number]

const SHEET = readFileSync(new URL('../src/styles/tokens.css', import.meta.url), 'utf8')
const THEMES = ['light', 'dark'] as const
type Theme = (typeof THEMES)[number]

function token(name: string, theme: Theme): string {
  const found = new RegExp(`--${name}: light-dark\\((#[0-9a-f]{6}), (#[0-9a-f]{6})\\)`).exec(SHEET)
  const colour = found?.[theme === 'light' ? 1 : 2]
  if (colour === undefined) throw new Error(`tokens.css has no --${name} of two colours`)
  return colour
}

const lines = (theme: Theme) => Array.from({ length: LINE_COLOURS }, (_, i) => token(`line-${i + 1}`, theme))

/** Linear light, 0 to 1. */
function linear(hex: string): Triple {
  const channel = (at: number) => {
    const c = Number.parseInt(hex.slice(at, at + 2), 16) / 255
    return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4
  }
  return [channel(1), channel(3), channel(5)]
}

const dot = (a: Triple, b: Triple) => a[0] * b[0] + a[1] * b[1] + a[2] * b[2]

/** WCAG 2.2. */
function contrast(a: string, b: string): number {
  const [x, y] = [a, b].map((hex) => dot([0.2126, 0.7152, 0.0722], linear(hex)) + 0.05) as [number, number]
  return Math.max(x, y) / Math.min(x, y)
}

/** What is seen by whom, in linear light: Machado, Oliveira, Fernandes (2009), severity 1. */
const VISION: Readonly<Record<string, readonly [Triple, Triple, Triple]>> = {
  usual: [
    [1, 0, 0],
    [0, 1, 0],
    [0, 0, 1],
  ],
  protanopia: [
    [0.152286, 1.052583, -0.204868],
    [0.114503, 0.786281, 0.099216],
    [-0.003882, -0.048116, 1.051998],
  ],
  deuteranopia: [
    [0.367322, 0.860646, -0.227968],
    [0.280085, 0.672501, 0.047413],
    [-0.01182, 0.04294, 0.968881],
  ],
  tritanopia: [
    [1.255528, -0.076749, -0.178779],
    [-0.078411, 0.930809, 0.147602],
    [0.004733, 0.691367, 0.3039],
  ],
}

function seen(hex: string, [r, g, b]: readonly [Triple, Triple, Triple]): Triple {
  const light = linear(hex)
  const part = (row: Triple) => Math.min(1, Math.max(0, dot(row, light)))
  return [part(r), part(g), part(b)]
}

/** Björn Ottosson's OKLab: distances in it are about as large as they look. */
function oklab(light: Triple): Triple {
  const l = Math.cbrt(dot([0.4122214708, 0.5363325363, 0.0514459929], light))
  const m = Math.cbrt(dot([0.2119034982, 0.6806995451, 0.1073969566], light))
  const s = Math.cbrt(dot([0.0883024619, 0.2817188376, 0.6299787005], light))
  const cones: Triple = [l, m, s]
  return [
    dot([0.2104542553, 0.793617785, -0.0040720468], cones),
    dot([1.9779984951, -2.428592205, 0.4505937099], cones),
    dot([0.0259040371, 0.7827717662, -0.808675766], cones),
  ]
}

/** The two that are closest, by whoever tells them apart worst. */
function closest(colours: readonly string[]): number {
  let least = Number.POSITIVE_INFINITY
  for (const vision of Object.values(VISION)) {
    const places = colours.map((hex) => oklab(seen(hex, vision)))
    places.forEach((a, i) => {
      for (const b of places.slice(i + 1)) least = Math.min(least, Math.hypot(a[0] - b[0], a[1] - b[1], a[2] - b[2]))
    })
  }
  return least
}

/** As published, in the order of the tokens. */
const OKABE_ITO = ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#e69f00', '#56b4e9', '#f0e442', '#000000']

function hue(hex: string): number {
  const [, a, b] = oklab(linear(hex))
  return (Math.atan2(b, a) * 180) / Math.PI
}

test('the measures are right: black on white is 21:1, and red is not green', () => {
  expect(contrast('#000000', '#ffffff')).toBeCloseTo(21)
  expect(contrast('#777777', '#ffffff')).toBeCloseTo(4.48, 2)
  expect(closest(['#d62728', '#2ca02c'])).toBeLessThan(closest(['#0072b2', '#d55e00']) / 2)
})

describe.each(THEMES)('lines in %s', (theme) => {
  test.each(['card', 'paper'])('stand out against the %s by 3:1', (ground) => {
    const weak = lines(theme).filter((colour) => contrast(colour, token(ground, theme)) < 3)
    expect(weak).toEqual([])
  })

  test('are no closer to each other than those of Okabe and Ito, for nobody', () => {
    expect(closest(lines(theme))).toBeGreaterThanOrEqual(closest(OKABE_ITO))
  })

  test('have the hues of Okabe and Ito', () => {
    // The eighth has none: the ink.
    const away = lines(theme)
      .slice(0, 7)
      .map((colour, i) => Math.abs(((hue(colour) - hue(OKABE_ITO[i] ?? '') + 540) % 360) - 180))
    expect(Math.max(...away)).toBeLessThan(10)
    expect(lines(theme)[7]).toBe(token('ink', theme))
  })

  test.each(['good', 'wait', 'bad'])('the tone %s stands out too', (tone) => {
    expect(contrast(token(tone, theme), token('card', theme))).toBeGreaterThanOrEqual(3)
  })
})

test('printed on white, too', () => {
  expect(lines('light').filter((colour) => contrast(colour, '#ffffff') < 3)).toEqual([])
})
