import { beforeAll, beforeEach, expect, test, vi } from 'vitest'

/** What the browser would look at, by the margin it was told. */
const observers = new Map<string, StubObserver>()

interface Entry {
  target: unknown
  isIntersecting: boolean
}

class StubObserver {
  readonly targets = new Set<unknown>()
  readonly #tell: (entries: Entry[]) => void
  constructor(tell: (entries: Entry[]) => void, of: { rootMargin: string }) {
    this.#tell = tell
    observers.set(of.rootMargin, this)
  }
  observe(target: unknown): void {
    this.targets.add(target)
  }
  unobserve(target: unknown): void {
    this.targets.delete(target)
  }
  tell(isIntersecting: boolean, ...targets: unknown[]): void {
    this.#tell(targets.filter((one) => this.targets.has(one)).map((target) => ({ target, isIntersecting })))
  }
}

vi.stubGlobal('requestAnimationFrame', () => 0)
vi.stubGlobal('IntersectionObserver', StubObserver)
const errors: unknown[] = []
vi.stubGlobal('reportError', (error: unknown) => errors.push(error))

let whileNear: typeof import('../src/chart/near').whileNear
beforeAll(async () => {
  whileNear = (await import('../src/chart/near')).whileNear
})

const element = (name: string) => ({ name }) as unknown as Element
const near = (...all: Element[]) => observers.get('300px')?.tell(true, ...all)
const past = (...all: Element[]) => observers.get('300px')?.tell(false, ...all)
const far = (...all: Element[]) => observers.get('3000px')?.tell(false, ...all)

let log: string[]
beforeEach(() => {
  log = []
  errors.length = 0
})

function chart(of: Element, name: string, is = { current: false }): () => void {
  return whileNear(of, is, () => {
    log.push(`${name} made`)
    return () => log.push(`${name} let go`)
  })
}

test('a chart is made when it comes near, stays while it is past, and is let go of when it is far', () => {
  const one = element('a')
  const stop = chart(one, 'a')
  expect(log).toEqual([])
  near(one)
  near(one)
  past(one)
  expect(log).toEqual(['a made'])
  far(one)
  expect(log).toEqual(['a made', 'a let go'])
  near(one)
  stop()
  expect(log).toEqual(['a made', 'a let go', 'a made', 'a let go'])
  stop()
  expect([log.length, ...[...observers.values()].map(({ targets }) => targets.size)]).toEqual([4, 0, 0])
})

test('one that is made for other lines is made anew at once where it is near, and not where it is past', () => {
  const one = element('b')
  const is = { current: false }
  chart(one, 'b', is)()
  const stop = chart(one, 'b', is)
  near(one)
  stop()
  chart(one, 'b', is)()
  expect(log).toEqual(['b made', 'b let go', 'b made', 'b let go'])
  const again = chart(one, 'b', is)
  past(one)
  again()
  log = []
  chart(one, 'b', is)()
  expect(log).toEqual([])
})

test('one that cannot be made keeps no other from being made', () => {
  const [bad, good] = [element('bad'), element('good')]
  const stops = [
    whileNear(bad, { current: false }, () => {
      throw new Error('no canvas')
    }),
    chart(good, 'good'),
  ]
  near(bad, good)
  expect([log, errors]).toEqual([['good made'], [new Error('no canvas')]])
  for (const stop of stops) stop()
})
