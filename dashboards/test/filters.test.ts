import { describe, expect, test } from 'vitest'
import {
  attributed,
  countStates,
  filtersHref,
  GATEWAY,
  NO_FILTERS,
  offers,
  ofState,
  parseFilters,
} from '../src/pages/devices/filters'
import { perLine, viewOf } from '../src/parts/virtual-list'

const device = (id: string, attributes: Record<string, string> = {}, extra: object = {}) => ({
  device: id,
  name: '',
  state: 'online' as const,
  note: '',
  version: 1,
  attributes,
  series: 1,
  ...extra,
})
const devices = [
  device('a', { site: 'North', floor: '10' }, { via: 'gw-1' }),
  device('b', { site: 'South', floor: '9' }, { state: 'offline', via: 'gw-2' }),
  device('c', { site: 'North', floor: '9' }, { state: 'silent', via: 'gw-1' }),
  device('gw-1', {}, { via: 'gw-1' }),
]
const ids = (found: readonly { device: string }[]) => found.map((one) => one.device).join('')
const NONE = new Map()

describe('the address of the list', () => {
  test.each([
    '#/',
    '#/?q=pump+%3F&state=offline&where=site%3DNorth%3D1&where=floor%3D9&order=seen&form=tiles',
    '#/?where=%40gateway%3Dgw-1',
  ])('%s holds all that is chosen', (href) => {
    expect(filtersHref(parseFilters(new URLSearchParams(href.split('?')[1])))).toBe(href)
  })

  test('what is not known is as at first', () => {
    const query = new URLSearchParams('state=away&order=toString&form=list&where=site&where=%3Dx')
    expect(parseFilters(query)).toEqual(NO_FILTERS)
  })
})

describe('filters', () => {
  test.each([
    ['none leave all', [], 'abcgw-1'],
    [
      'values of one attribute are alternatives',
      [
        ['floor', '9'],
        ['floor', '10'],
      ],
      'abc',
    ],
    [
      'several attributes must all hold',
      [
        ['site', 'North'],
        ['floor', '9'],
      ],
      'c',
    ],
    ['the gateway is one', [[GATEWAY, 'gw-1']], 'acgw-1'],
    [
      'who has no such attribute is left out',
      [
        ['floor', '9'],
        [GATEWAY, 'gw-1'],
      ],
      'c',
    ],
    ['an unknown value leaves none', [['site', 'East']], ''],
  ] as const)('%s', (_, where, expected) => expect(ids(attributed(devices, NONE, where))).toBe(expected))

  test('a state is what live told last', () => {
    const live = new Map([['a', { device: 'a', state: 'offline' as const, since: 1, seen: 1 }]])
    expect([ids(ofState(devices, NONE, 'offline')), ids(ofState(devices, live, 'offline'))]).toEqual(['b', 'ab'])
    expect(countStates(devices, live)).toEqual({ online: 1, silent: 1, offline: 2, unknown: 0 })
    expect(ofState(devices, live, undefined)).toBe(devices)
  })

  test('what all devices have alike is not offered, what only some have is', () => {
    const same = ['x', 'y'].map((id) =>
      device(id, { site: 'North', ...(id === 'x' ? { spare: 'yes' } : {}) }, { via: 'gw' }),
    )
    expect(offers(same)).toEqual([{ name: 'spare', values: ['yes'] }])
  })

  test('are offered by site first, gateways last, values in human order; not what each device has for itself', () => {
    const many = Array.from({ length: 300 }, (_, i) => device(`d${i}`, { serial: String(i) }))
    expect(offers([...devices, ...many])).toEqual([
      { name: 'site', values: ['North', 'South'] },
      { name: 'floor', values: ['9', '10'] },
      { name: GATEWAY, values: ['gw-1', 'gw-2'] },
    ])
  })
})

describe('tiles', () => {
  test.each([
    [336, 232, 1],
    [475, 232, 1],
    [476, 232, 2],
    [1200, 232, 4],
    [1200, undefined, 1],
    [0, 232, 1],
  ])('%i pixels with tiles of %s have %i side by side', (width, least, expected) =>
    expect(perLine(width, least, 12)).toBe(expected),
  )

  test('those in view are whole lines, of ten thousand as of three', () => {
    expect(viewOf(100, 500, 50, 10_000, 4)).toEqual({ first: 0, end: 64 })
    expect(viewOf(-50_000, 500, 50, 10_000, 4)).toEqual({ first: 3968, end: 4072 })
    expect(viewOf(0, 500, 50, 3, 4)).toEqual({ first: 0, end: 3 })
  })
})
