// Tokens, as administrators list, make and revoke them.
import { ask } from '../rest'
import { list, map, number, type Schemas, type Told, text } from '../told'

export interface Token {
  id: number
  name: string
  role: string
  devices: string
  select: string
  created: number
}

/** What a form holds of a new token; what is empty is not sent. */
export type TokenWish = { readonly [K in keyof Required<Schemas['NewToken']>]: string }

export async function fetchTokens(): Promise<Token[]> {
  return list(map(await ask('get', '/api/v1/tokens')).tokens).map(decodeToken)
}

/** Makes a token; its secret is told this once. */
export async function createToken(wish: TokenWish): Promise<string> {
  const filled = Object.entries(wish).filter(([, value]) => value !== '')
  const body = Object.fromEntries(filled) as unknown as Schemas['NewToken']
  return text(map(await ask('post', '/api/v1/tokens', { body })).token)
}

export async function revokeToken(id: number): Promise<void> {
  await ask('delete', '/api/v1/tokens/{id}', { id: String(id) })
}

function decodeToken(raw: Told<Schemas['TokenRow']>): Token {
  const o = map(raw)
  return {
    id: number(o.id),
    name: text(o.name),
    role: text(o.role),
    devices: text(o.devices),
    select: text(o.select),
    created: number(o.created),
  }
}
