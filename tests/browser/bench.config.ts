// `make bench-page`: the same browser and hubs as the tests, with figures of the clock that are printed.
import { defineConfig } from '@playwright/test'
import tests from './playwright.config'

export default defineConfig({
  ...tests,
  testMatch: /.*\.bench\.ts/,
  timeout: 1_800_000,
  use: { ...tests.use, trace: 'off' },
})
