// What a browser loads of the page, compressed as the hub sends it. Built here, so that it is the page of these sources.
import { build, type Rolldown } from 'vite'
import { expect, test } from 'vitest'
import { brotliBytes, MOST_BYTES } from '../dev/size'

async function built(config: string): Promise<Map<string, string>> {
  const made = await build({ configFile: config, logLevel: 'silent', build: { write: false } })
  const outputs = ([made].flat() as Rolldown.RolldownOutput[]).flatMap(({ output }) => output)
  return new Map(outputs.map((one) => [one.fileName, one.type === 'chunk' ? one.code : String(one.source)]))
}

test(`script, styles and page are at most ${MOST_BYTES / 1024} KiB`, async () => {
  const files = await built('vite.config.ts')
  const names = [...files.keys()]
  expect(names.filter((name) => /\.(js|css|html)$/.test(name)).length).toBeGreaterThanOrEqual(3)
  const bytes = [...files.values()].reduce((sum, text) => sum + brotliBytes(Buffer.from(text)), 0)
  expect(bytes).toBeLessThanOrEqual(MOST_BYTES)
  // Less than this and something is missing.
  expect(bytes).toBeGreaterThan(20 * 1024)
}, 60_000)

test('the gallery is no part of it', async () => {
  const page = [...(await built('vite.config.ts')).values()].join('')
  const gallery = [...(await built('gallery/vite.config.ts')).values()].join('')
  for (const mark of ['old-boiler', 'Gallery', 'drawnBy']) {
    expect(gallery).toContain(mark)
    expect(page).not.toContain(mark)
  }
}, 60_000)
