import { describe, expect, test } from 'vitest'
import { escapeGlob, selectorOf } from '../src/selector.js'

describe('selectors', () => {
  test.each([
    ['plain-name_1.5', 'plain-name_1.5'],
    ['a*b', 'a\\*b'],
    ['what?', 'what\\?'],
    ['plant/line', 'plant\\/line'],
    ['{x}', '\\{x\\}'],
    ['say "hi"', 'say \\"hi\\"'],
    ['back\\slash', 'back\\\\slash'],
    ['Grüße 😀', 'Grüße 😀'],
  ])('a name %s is escaped as %s', (name, expected) => expect(escapeGlob(name)).toBe(expected))

  test.each([
    [{}, '*/*'],
    [{ device: 'a/b' }, 'a\\/b/*'],
    [{ metric: 'cpu*' }, '*/cpu\\*'],
    [{ device: 'd', metric: 'm', labels: { b: '2', a: 'x"y' } }, 'd/m{a="x\\"y",b="2"}'],
    [{ device: 'd', metric: 'm', labels: { cpu: '' } }, 'd/m{cpu=""}'],
  ])('%j is %s', (parts, expected) => expect(selectorOf(parts)).toBe(expected))
})
