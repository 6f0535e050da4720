// Build, development server and unit tests of the page.
//
// `vite` alone proxies /api to a hub on 127.0.0.1:8080 (or HUB=http://…), sockets too. The hub takes an upgrade only from an
// Origin it knows, so the proxy puts its own in place of the development server's.
import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'

const hub = process.env.HUB ?? 'http://127.0.0.1:8080'

export default defineConfig({
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
