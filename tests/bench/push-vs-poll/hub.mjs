// A hub of its own in an empty data directory, and what it costs.
import { execFile, spawn } from 'node:child_process'
import { rmSync } from 'node:fs'
import { mkdtemp, readdir, readFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'

const run = promisify(execFile)
const BINARY = process.env.TELLTALE_BIN ?? join(import.meta.dirname, '../../../target/release/telltale')

export class Hub {
  #child
  #data

  static async start() {
    const hub = new Hub()
    hub.#data = await mkdtemp(join(tmpdir(), 'telltale-bench-'))
    const words = ['serve', '--listen', '127.0.0.1:0', '--data-dir', hub.#data]
    hub.#child = spawn(BINARY, words, { stdio: ['ignore', 'pipe', 'ignore'] })
    // However this program ends, its hub does not stay behind.
    process.once('exit', () => hub.#end())
    for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(1))
    hub.url = await new Promise((found, failed) => {
      hub.#child.once('error', failed)
      hub.#child.once('exit', (code) => failed(new Error(`${BINARY} ended with ${code} before it listened`)))
      createInterface({ input: hub.#child.stdout }).on('line', (line) => {
        if (line.startsWith('listening on ')) found(line.slice('listening on '.length))
      })
    })
    hub.viewer = await hub.#token('viewer')
    hub.agent = await hub.#token('agent')
    return hub
  }

  async #token(role) {
    return (await run(BINARY, ['token', 'create', '--role', role, '--data-dir', this.#data])).stdout.trim()
  }

  async version() {
    return (await run(BINARY, ['--version'])).stdout.trim()
  }

  /** CPU seconds that the hub uses meanwhile, in user and in system, from the scheduler's own count of nanoseconds. */
  async cpuOver(work) {
    const before = await this.#cpuNs()
    await work()
    const after = await this.#cpuNs()
    let ns = 0
    for (const [thread, spent] of after) ns += spent - (before.get(thread) ?? 0)
    return ns / 1e9
  }

  async #cpuNs() {
    const tasks = `/proc/${this.#child.pid}/task`
    const spent = new Map()
    for (const thread of await readdir(tasks)) {
      // A thread may end in between.
      const text = await readFile(`${tasks}/${thread}/schedstat`, 'utf8').catch(() => undefined)
      if (text !== undefined) spent.set(thread, Number(text.split(' ')[0]))
    }
    return spent
  }

  #end() {
    this.#child.kill('SIGKILL')
    rmSync(this.#data, { recursive: true, force: true })
  }
}
