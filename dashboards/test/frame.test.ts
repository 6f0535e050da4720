import { afterEach, expect, test, vi } from 'vitest'

let frame: (() => void) | undefined
const told: unknown[] = []
vi.stubGlobal('requestAnimationFrame', (run: () => void) => {
  frame = run
  return 0
})
vi.stubGlobal('reportError', (error: unknown) => told.push(error))
const { onFrame, onTurn, requestFrame } = await import('../src/frame')

afterEach(() => told.splice(0))

function pass(): void {
  requestFrame()
  const run = frame
  frame = undefined
  run?.()
}

test('what fails to be drawn is told of once, and all else is drawn in each frame', () => {
  const drawn: string[] = []
  const bad = new Error('no such series')
  const fails = () => {
    throw bad
  }
  const stops = [onFrame(fails), onFrame(() => drawn.push('page')), onTurn(fails), onTurn(() => drawn.push('chart'))]
  for (let i = 0; i < 3; i += 1) pass()
  for (const stop of stops) stop()
  expect(drawn.sort()).toEqual(['chart', 'chart', 'chart', 'page', 'page', 'page'])
  expect(told).toEqual([bad])
})
