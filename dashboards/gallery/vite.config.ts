// The gallery, apart from the page: nothing of it is in what the hub carries.
import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vite'

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url))

export default defineConfig({
  root: here('.'),
  base: './',
  resolve: {
    alias: [
      { find: '@telltale/client', replacement: here('../client/src/index.ts') },
      // Charts that can be asked what they were given.
      { find: /^uplot$/, replacement: here('recorded-uplot.ts') },
    ],
  },
  build: { target: 'es2022', outDir: here('dist'), emptyOutDir: true, modulePreload: { polyfill: false } },
  server: { host: '127.0.0.1', port: 5180, strictPort: true },
})
