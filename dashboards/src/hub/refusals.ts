// The readings that the hub refused last, for its administrators.
import { ask } from '../rest'
import { list, map, number, text } from '../told'

export interface Refusal {
  time: number
  token: number
  tokenName: string
  device: string
  metric: string
  code: string
  message: string
}

export async function fetchRefusals(): Promise<Refusal[]> {
  return list(map(await ask('get', '/api/v1/status/refusals')).refusals).map((raw) => {
    const o = map(raw)
    return {
      time: number(o.time),
      token: number(o.token),
      tokenName: text(o.token_name),
      device: text(o.device),
      metric: text(o.metric),
      code: text(o.code),
      message: text(o.message),
    }
  })
}
