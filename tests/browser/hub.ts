// A real hub for a test: started with a data directory of its own, killed, started again on the same port, and gone at the end.
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'

const run = promisify(execFile)
const BIN = resolve(process.env.TELLTALE_BIN ?? join(import.meta.dirname, '../../target/debug/telltale'))
const START_MS = 30_000

export class Hub {
  /** `http://127.0.0.1:PORT`, the same after a restart. */
  url = ''
  /** The link printed at the first start. */
  loginLink = ''
  #child: ChildProcess | undefined
  #log: string[] = []
  readonly #dir: string

  private constructor(dir: string) {
    this.#dir = dir
  }

  static async start(): Promise<Hub> {
    const hub = new Hub(await mkdtemp(join(tmpdir(), 'telltale-browser-')))
    await hub.#spawn('127.0.0.1:0', true)
    return hub
  }

  /** On the same port and data directory. */
  async restart(): Promise<void> {
    await this.#spawn(new URL(this.url).host, false)
  }

  async kill(signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    const child = this.#child
    this.#child = undefined
    if (child === undefined || child.exitCode !== null) return
    const gone = new Promise((done) => child.once('exit', done))
    child.kill(signal)
    await gone
  }

  async token(role: 'agent' | 'viewer' | 'admin', name: string): Promise<string> {
    return (await this.cli('token', 'create', '--role', role, '--name', name)).trim()
  }

  /** Ends the token of this name. */
  async revoke(name: string): Promise<void> {
    const rows = (await this.cli('token', 'list')).split('\n').map((row) => row.trim().split(/\s+/))
    const id = rows.find((row) => row.includes(name))?.[0]
    if (id === undefined) throw new Error(`no token ${name} among ${JSON.stringify(rows)}`)
    await this.cli('token', 'revoke', id)
  }

  async cli(...args: string[]): Promise<string> {
    const { stdout } = await run(BIN, [...args, '--data-dir', this.#dir], { timeout: START_MS })
    return stdout
  }

  /** Ends the hub and removes its data; gives the log, for a test that failed. */
  async end(): Promise<string> {
    await this.kill('SIGKILL')
    await rm(this.#dir, { recursive: true, force: true })
    return this.#log.join('\n')
  }

  async #spawn(listen: string, first: boolean): Promise<void> {
    const child = spawn(BIN, ['serve', '--listen', listen, '--data-dir', this.#dir], {
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    this.#child = child
    createInterface({ input: child.stderr }).on('line', (line) => this.#log.push(line))
    await new Promise<void>((ready, failed) => {
      const late = setTimeout(
        () => failed(new Error(`the hub did not start in ${START_MS} ms\n${this.#log.join('\n')}`)),
        START_MS,
      )
      const done = () => {
        clearTimeout(late)
        ready()
      }
      child.once('error', failed)
      child.once('exit', (code) => failed(new Error(`the hub ended with ${code}\n${this.#log.join('\n')}`)))
      createInterface({ input: child.stdout }).on('line', (line) => {
        const listening = /^listening on (\S+)$/.exec(line)?.[1]
        const login = /^login: (\S+)$/.exec(line)?.[1]
        if (listening !== undefined) this.url = listening
        if (login !== undefined) this.loginLink = login
        if (this.url !== '' && (listening !== undefined || login !== undefined) && (!first || this.loginLink !== ''))
          done()
      })
    })
  }
}
