// Build, development server and unit tests of the page.
//
// `vite` alone proxies /api to a hub on 127.0.0.1:8080 (or HUB=http://…), sockets too. The hub takes an upgrade only from an
// Origin it knows, so the proxy puts its own in place of the development server's.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import type { Plugin } from 'vite'
import { defineConfig } from 'vitest/config'
import { brotli, sizeText } from './dev/size'

const hub = process.env.HUB ?? 'http://127.0.0.1:8080'

/** Smaller files gain nothing. */
const COMPRESSED_FROM = 1_000

/** Lays a brotli and a gzip form beside each file, once at build, so that the hub only has to choose, and says how much they are. */
function compressed(): Plugin {
  return {
    name: 'compressed',
    apply: 'build',
    writeBundle({ dir }) {
      if (dir === undefined) return
      let total = 0
      for (const name of readdirSync(dir, { recursive: true, encoding: 'utf8' })) {
        if (!/\.(js|css|html|svg)$/.test(name)) continue
        const path = join(dir, name)
        const plain = readFileSync(path)
        const small = brotli(plain)
        total += small.length
        if (plain.length < COMPRESSED_FROM) continue
        writeFileSync(`${path}.br`, small)
        writeFileSync(`${path}.gz`, gzipSync(plain, { level: 9 }))
      }
      this.info(`all of the page: ${sizeText(total)}`)
    },
  }
}

export default defineConfig({
  plugins: [compressed()],
  // The page and the unit tests take the package's source; whoever installs the package takes what `tsc` makes of it.
  resolve: { alias: { '@telltale/client': fileURLToPath(new URL('client/src/index.ts', import.meta.url)) } },
  build: {
    target: 'es2022',
    // Nothing as a data: address; the hub's Content-Security-Policy is `default-src 'self'`.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
  server: {
    host: '127.0.0.1',
    proxy: { '/api': { target: hub, ws: true, changeOrigin: true, headers: { origin: hub } } },
  },
  test: {
    environment: 'node',
    include: ['client/test/**/*.test.ts', 'test/**/*.test.ts'],
  },
})
