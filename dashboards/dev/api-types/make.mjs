// Makes the page's types of the hub's document. `make api-types` writes both; alone this takes the document that is there.
// With --check nothing is written: it ends with 1 when the types are not those of the document.
import { readFileSync, writeFileSync } from 'node:fs'
import openapi, { astToString } from 'openapi-typescript'

const HEAD = '// What the REST interface takes and answers, of openapi.json by `make api-types`. Not to be edited.\n\n'
const TYPES = new URL('../../src/api-types.ts', import.meta.url)

const document = JSON.parse(readFileSync(new URL('../../openapi.json', import.meta.url), 'utf8'))
const made = HEAD + astToString(await openapi(document, { alphabetize: true }))

if (!process.argv.includes('--check')) {
  writeFileSync(TYPES, made)
} else if (readFileSync(TYPES, 'utf8') !== made) {
  console.error('src/api-types.ts is not made of openapi.json: `make api-types` writes it anew')
  process.exitCode = 1
}
