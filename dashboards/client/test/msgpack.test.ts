import { expect, test } from 'vitest'
import { decodeMsgpack, encodeMsgpack, type Precision } from '../src/msgpack.js'
import { ProtocolError } from '../src/protocol.js'

const hex = (text: string) => Uint8Array.from(text.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16))
const read = (text: string, precision: Precision = 'ms') => decodeMsgpack(hex(text.replaceAll(' ', '')), precision)
const text = (words: string) => (0xa0 | words.length).toString(16) + Buffer.from(words).toString('hex')

test.each([
  ['c0', null],
  ['c2', false],
  ['c3', true],
  ['00', 0],
  ['7f', 127],
  ['ff', -1],
  ['e0', -32],
  ['cc ff', 255],
  ['cd 0100', 256],
  ['ce ffffffff', 4_294_967_295],
  ['d0 80', -128],
  ['d1 8000', -32_768],
  ['d2 80000000', -2_147_483_648],
  ['cf 001fffffffffffff', Number.MAX_SAFE_INTEGER],
  ['d3 ffe0000000000001', Number.MIN_SAFE_INTEGER],
  ['ca 3fc00000', 1.5],
  ['cb 3fb999999999999a', 0.1],
  ['a0', ''],
  ['a3 616263', 'abc'],
  ['a3 e282ac', '€'],
  ['d9 02 6162', 'ab'],
  ['da 0002 6162', 'ab'],
  ['db 00000002 6162', 'ab'],
  [`d9 1a efbbbf ${'61'.repeat(23)}`, `\uFEFF${'a'.repeat(23)}`],
  ['93 01 a161 c0', [1, 'a', null]],
  ['dc 0002 01 02', [1, 2]],
  ['dd 00000002 01 02', [1, 2]],
  ['82 a161 01 a162 90', { a: 1, b: [] }],
  ['de 0001 a161 01', { a: 1 }],
  ['df 00000001 a161 01', { a: 1 }],
])('%s is %j in both forms', (bytes, expected) => {
  expect([read(bytes), read(bytes, 'ns')]).toEqual([expected, expected])
})

test('an integer beyond 2^53 is rounded, or a bigint', () => {
  for (const [bytes, exact] of [
    ['cf 7fffffffffffffff', 2n ** 63n - 1n],
    ['d3 8000000000000000', -(2n ** 63n)],
    ['cf 0020000000000001', 2n ** 53n + 1n],
  ] as const) {
    expect([read(bytes), read(bytes, 'ns')]).toEqual([Number(exact), exact])
  }
})

const wide = (ns: bigint) => {
  const view = new DataView(new ArrayBuffer(9))
  view.setUint8(0, ns < 0n ? 0xd3 : 0xcf)
  view.setBigInt64(1, ns)
  return Buffer.from(view.buffer).toString('hex')
}

test.each([1_795_396_030_123_456_789n, 1_795_396_030_123_000_000n, -1_500_000n, 4_294_967_296n, 2n ** 63n - 1n])(
  'a time of %d ns keeps all digits, or is the nearest number of ms',
  (ns) => {
    const bytes = `81 ${text('points')} 91 93 05 ${wide(ns)} 01`
    expect(read(bytes, 'ns')).toEqual({ points: [[5, ns, 1]] })
    const { points } = read(bytes) as { points: [[number, number, number]] }
    const whole = ns / 1_000_000n
    expect(points[0][1]).toBe(Number(whole) + Number(ns % 1_000_000n) / 1e6)
  },
)

test('times are where times are, and nowhere else', () => {
  const point = `92 05 05`
  const bytes = `82 ${text('from')} 05 ${text('x')} 81 ${text('points')} 92 ${point} ${point}`
  expect(read(bytes, 'ns')).toEqual({
    from: 5n,
    x: {
      points: [
        [5n, 5],
        [5n, 5],
      ],
    },
  })
  expect(read(`81 ${text('since')} c0`, 'ns')).toEqual({ since: null })
  // Labels may have these names; their values are text.
  expect(read(`82 ${text('from')} ${text('a')} ${text('points')} ${text('b')}`, 'ns')).toEqual({
    from: 'a',
    points: 'b',
  })
})

test('a label of the name __proto__ is a label', () => {
  const map = read(`81 ${text('__proto__')} ${text('a')}`) as object
  expect([Object.keys(map), Object.getPrototypeOf(map)]).toEqual([['__proto__'], Object.prototype])
})

test.each([
  ['nothing at all', ''],
  ['a map without its values', '81 a161'],
  ['a number cut off', 'cf 0000'],
  ['a text cut off', 'a5 6161'],
  ['an array that declares more than there is', 'dd ffffffff 01'],
  ['a map that declares more than there is', 'df 7fffffff a0 01'],
  ['points that declare more than there are', `81 ${text('points')} dd ffffffff`],
  ['a byte that MessagePack never uses', 'c1'],
  ['an extension', 'd6 ff 00000000'],
  ['a key that is no text', '81 01 01'],
  ['bytes behind the message', '01 02'],
  ['too deep nesting', `${'91'.repeat(20)}00`],
])('%s is refused by name', (_, bytes) => {
  expect(() => read(bytes)).toThrow(ProtocolError)
})

test('what is cut anywhere is refused', () => {
  const whole = hex(
    `83 ${text('type')} ${text('x')} ${text('from')} ${wide(7n)} ${text('points')} 91 93 01 ${wide(7n)} cb3fb999999999999a`.replaceAll(
      ' ',
      '',
    ),
  )
  expect(decodeMsgpack(whole, 'ns')).toEqual({ type: 'x', from: 7n, points: [[1, 7n, 0.1]] })
  for (let end = 0; end < whole.length; end += 1) {
    expect(() => decodeMsgpack(whole.subarray(0, end), 'ns'), `${end} bytes`).toThrow(ProtocolError)
  }
})

test('what is said to the hub comes back as it was', () => {
  const long = 'gerät-'.repeat(30)
  const said = encodeMsgpack({
    type: 'subscribe',
    id: 's1',
    select: ['a/*', long],
    max_hz: 0.5,
    points: 800,
    cursor: undefined,
  })
  expect(decodeMsgpack(said.subarray(), 'ms')).toMatchObject({
    type: 'subscribe',
    id: 's1',
    select: ['a/*', long],
    max_hz: 0.5,
  })
  expect(Object.keys(decodeMsgpack(said, 'ms') as object)).toEqual(['type', 'id', 'select', 'max_hz', 'points'])
})
