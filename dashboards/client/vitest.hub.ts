// The tests that need a real hub (`npm run hub`): the package as it is built, in Node, against target/debug/telltale.
import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    environment: 'node',
    include: ['client/test-hub/**/*.test.ts'],
    testTimeout: 30_000,
    hookTimeout: 60_000,
  },
})
