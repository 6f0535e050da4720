// The package as others get it: what `npm pack` makes, installed elsewhere, and its README run as it stands.
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Bench, nowNs } from './bench'

const run = promisify(execFile)
const CLIENT = resolve(import.meta.dirname, '..')
const MODULES = resolve(CLIENT, '../node_modules')
const SOURCES = [
  'client',
  'codec',
  'connect',
  'connection',
  'door',
  'feed',
  'index',
  'link',
  'mirror',
  'msgpack',
  'protocol',
  'ring',
]
const MORE_SOURCES = ['selector', 'series', 'subscription', 'surroundings', 'thin', 'units']

let b: Bench
/** A project that has installed the package, and `ws` as its README says. */
let project: string
let packed: { filename: string; files: { path: string }[] }
const programs: ChildProcess[] = []

beforeAll(async () => {
  project = await mkdtemp(join(tmpdir(), 'telltale-client-'))
  // `npm run hub` has built it; to build it again would take it away from the tests beside this one.
  const words = ['pack', '--ignore-scripts', '--json', '--pack-destination', project]
  const { stdout } = await run('npm', words, { cwd: CLIENT })
  packed = Object.values(JSON.parse(stdout.slice(stdout.search(/[[{]/))))[0] as typeof packed
  await writeFile(join(project, 'package.json'), '{"name":"project","private":true,"type":"module"}')
  await run('npm', ['install', '--offline', '--no-audit', '--no-fund', `./${packed.filename}`], { cwd: project })
  await symlink(join(MODULES, 'ws'), join(project, 'node_modules/ws'))
  b = await Bench.start()
})
afterAll(async () => {
  for (const program of programs) program.kill('SIGKILL')
  await b.hub.end()
  await rm(project, { recursive: true, force: true })
})

/** The one example in this language that holds this word. */
async function example(language: string, word: string): Promise<string> {
  const readme = await readFile(join(CLIENT, 'README.md'), 'utf8')
  const blocks = [...readme.matchAll(/```(\w+)\n(.*?)```/gs)].filter((m) => m[1] === language && m[2]?.includes(word))
  expect(blocks).toHaveLength(1)
  return blocks[0]?.[2] ?? ''
}

/** Starts a program of the project; what it has printed so far. */
function start(args: string[], env: Record<string, string> = {}): { out: () => string; child: ChildProcess } {
  const settings = { TELLTALE_URL: b.url, TELLTALE_TOKEN: b.viewer, PATH: process.env.PATH ?? '', ...env }
  const child = spawn(process.execPath, args, { cwd: project, env: settings })
  programs.push(child)
  let out = ''
  const keep = (chunk: Buffer) => {
    out += chunk.toString()
  }
  child.stdout.on('data', keep)
  child.stderr.on('data', keep)
  return { out: () => out, child }
}

test('npm pack holds what is needed and nothing else', () => {
  const expected = [...SOURCES, ...MORE_SOURCES].flatMap((name) => [`dist/${name}.d.ts`, `dist/${name}.js`])
  const around = ['LICENSE-APACHE', 'LICENSE-MIT', 'README.md', 'examples/watch.mjs', 'package.json']
  expect(packed.files.map((file) => file.path).sort()).toEqual([...around, ...expected].sort())
})

test('its licences are those of the hub', async () => {
  for (const name of ['LICENSE-APACHE', 'LICENSE-MIT']) {
    expect(await readFile(join(CLIENT, name), 'utf8')).toBe(await readFile(join(CLIENT, '../..', name), 'utf8'))
  }
})

test('it needs no other package, and names no machine', async () => {
  const description = JSON.parse(await readFile(join(project, 'node_modules/@telltale/client/package.json'), 'utf8'))
  expect(Object.keys(description).filter((key) => /dependencies/i.test(key))).toEqual([])
  expect(description).toMatchObject({ license: 'MIT OR Apache-2.0', type: 'module', engines: { node: '>=20' } })
  for (const { path } of packed.files) {
    const text = await readFile(join(project, 'node_modules/@telltale/client', path), 'utf8')
    expect([path, /\/(home|work|root|tmp)\//.test(text)]).toEqual([path, false])
  }
})

test('the Node example of the README prints what comes in', async () => {
  const source = (await example('js', 'greenhouse-*')).replace('http://127.0.0.1:8080', b.url)
  const call = source.slice(source.indexOf('const hub')).trim().split('\n')
  expect(call.length).toBeLessThanOrEqual(5)
  await writeFile(join(project, 'readme.mjs'), source)
  const { out } = start(['readme.mjs'])
  await b.write('greenhouse-1', ['temperature', '21.5', nowNs()])
  await expect.poll(out, { timeout: 10_000 }).toMatch(/^greenhouse-1 m\.temperature \S+ 21\.5\n$/m)
  await b.write('greenhouse-2', ['door', 'true', nowNs()])
  await expect.poll(out, { timeout: 10_000 }).toMatch(/^greenhouse-2 m\.door \S+ true\n$/m)
})

// Node 22 has a WebSocket of its own; Node 20 the same behind a flag.
const OWN = Number(process.versions.node.split('.')[0]) >= 22 ? [] : ['--experimental-websocket']

test.each([
  ['of the package ws', []],
  ['of Node itself', OWN],
])('the example program goes on from its cursor file, with the WebSocket %s', async (_, flags) => {
  const file = join(project, `cursor${flags.length}`)
  const device = `watched-${flags.length}`
  const watch = [...flags, 'node_modules/@telltale/client/examples/watch.mjs', `${device}/*`]
  await b.write(device, ['a', '1', nowNs()])
  const first = start(watch, { CURSOR_FILE: file })
  await expect.poll(first.out, { timeout: 10_000 }).toMatch(new RegExp(`from the beginning:[^]*${device}/m.a 1\n`))
  first.child.kill('SIGTERM')
  await expect.poll(() => first.child.exitCode).toBe(0)
  await b.write(device, ['a', '2', nowNs()])
  const second = start(watch, { CURSOR_FILE: file })
  await expect.poll(second.out, { timeout: 10_000 }).toMatch(new RegExp(`going on:[^]*${device}/m.a 2\n`))
  expect(second.out()).not.toMatch(/m\.a 1\n/)
})

test('the example program ends with a word and code 1 when its token is none', async () => {
  const { out, child } = start(['node_modules/@telltale/client/examples/watch.mjs'], { TELLTALE_TOKEN: 'tt_none' })
  await expect.poll(() => child.exitCode, { timeout: 10_000 }).toBe(1)
  expect(out()).toContain('ended (4401 the token is unknown or was revoked)')
})

test('its types hold, strict, without the types of DOM and Node', async () => {
  const source = `import { connect, Mirror, type Change, type TelltaleError } from '@telltale/client'
const hub = connect('http://127.0.0.1:1', { exact: true })
const mirror = new Mirror<bigint>()
hub.subscribe(['a/*'], { history: '1h', onError: (e: TelltaleError) => e.code }, async (change) => {
  mirror.apply(change)
  const times: bigint[] = change.points.map((point) => point.time)
  return void times
})
connect('http://127.0.0.1:1', { token: 't' }).subscribe('a/*', {}, (change: Change) => {
  const times: number[] = change.points.map((point) => point.time)
  // @ts-expect-error a bool or a text is no number
  const values: number[] = change.points.map((point) => point.value)
  return void [times, values]
})
// @ts-expect-error a time in ms is no bigint
connect('http://127.0.0.1:1').subscribe('a/*', {}, (change: Change<bigint>) => void change)
`
  const dir = join(project, 'typed')
  await mkdir(dir)
  await writeFile(join(dir, 'use.ts'), source)
  const flags = ['--noEmit', '--strict', '--module', 'nodenext', '--target', 'es2022', '--lib', 'es2022', '--types', '']
  const tsc = join(MODULES, '.bin/tsc')
  const { stdout } = await run(tsc, [...flags, '--exactOptionalPropertyTypes', 'use.ts'], { cwd: dir }).catch((e) => e)
  expect(stdout).toBe('')
  await cp(join(dir, 'use.ts'), join(dir, 'wrong.ts'))
  await writeFile(join(dir, 'wrong.ts'), source.replaceAll(/ *\/\/ @ts-expect-error.*\n/g, ''))
  const wrong = await run(tsc, [...flags, 'wrong.ts'], { cwd: dir }).catch((e) => e)
  expect(wrong.stdout.match(/error TS/g)).toHaveLength(2)
})
