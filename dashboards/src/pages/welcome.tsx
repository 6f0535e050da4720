// The first screen of an empty hub: the next step, ready to copy. It gives way by itself when the first reading comes.
import { useSignal } from '@preact/signals'
import type { Session } from '../api'
import { Command } from '../parts/command'

interface Way {
  name: string
  says: string
  command(hub: string): string
}

const ws = (hub: string) => hub.replace(/^http/, 'ws')

const WAYS: readonly Way[] = [
  {
    name: 'This machine',
    says: 'The agent reports processor, memory, disks, network and temperatures.',
    command: (hub) => `telltale-agent run --url ${ws(hub)} --token-file agent.token`,
  },
  {
    name: 'Python',
    says: 'Any program with a WebSocket and MessagePack will do. First: pip install websockets msgpack',
    command: (hub) => `import msgpack, time, random
from websockets.sync.client import connect

token = open("agent.token").read().strip()
with connect("${ws(hub)}/api/v1/ingest",
             additional_headers={"Authorization": f"Bearer {token}"}) as hub:
    while True:
        hub.send(msgpack.packb({"device": "desk", "metric": "temperature",
                                "value": 20 + random.random(), "unit": "°C"}))
        time.sleep(1)`,
  },
  {
    name: 'Telegraf',
    says: 'In telegraf.conf, beside its inputs. Telegraf keeps what the hub has not taken yet.',
    command: (hub) => `[[outputs.influxdb_v2]]
  urls = ["${hub}"]
  token = "the text in agent.token"
  organization = "any"
  bucket = "any"`,
  },
  {
    name: 'curl',
    says: 'Line protocol, as for InfluxDB. No answer and status 204 mean that it is on disk.',
    command: (hub) => `curl -i -H "Authorization: Token $(cat agent.token)" '${hub}/api/v2/write' \\
  --data-binary 'climate,device=desk temperature=21.5'`,
  },
  {
    name: 'JSON lines',
    says: 'Whatever a script prints, one reading a line; each line is kept until the hub has it.',
    command: (hub) => `echo '{"device": "desk", "metric": "temperature", "value": 21.5, "unit": "°C"}' |
  telltale-agent stdin --url ${ws(hub)} --token-file agent.token`,
  },
]

/** Who looks after the hub is told how to send; who only looks, that there is nothing to be seen by this token. */
export function Welcome({ who }: { who: Session | undefined }) {
  return who === undefined || who.role === 'admin' ? <FirstSteps /> : <NothingToSee name={who.name} />
}

function NothingToSee({ name }: { name: string }) {
  return (
    <main class="welcome">
      <h1>No readings that you may see</h1>
      <p>
        You are logged in as {name === '' ? 'a viewer' : <b>{name}</b>}. Either nothing has been sent yet, or this token
        does not reach it: whoever looks after the hub can say which devices it may see.
      </p>
      <p>This page fills by itself the moment there is something.</p>
    </main>
  )
}

function FirstSteps() {
  const chosen = useSignal(0)
  const way = WAYS[chosen.value]
  return (
    <main class="welcome">
      <h1>No readings yet</h1>
      <p>This page fills by itself the moment the first one arrives. Two steps:</p>
      <section>
        <h2>1. A token that may send</h2>
        <Command text="telltale token create --role agent > agent.token" />
        <p class="hint">Run it on the hub's machine, with the same --data-dir as the hub.</p>
      </section>
      <section>
        <h2>2. Something that sends</h2>
        <fieldset class="segments" aria-label="Ways to send">
          {WAYS.map((one, i) => (
            <button
              key={one.name}
              type="button"
              aria-pressed={i === chosen.value}
              onClick={() => {
                chosen.value = i
              }}
            >
              {one.name}
            </button>
          ))}
        </fieldset>
        {way !== undefined && (
          <>
            <p class="hint">{way.says}</p>
            <Command text={way.command(location.origin)} />
          </>
        )}
      </section>
    </main>
  )
}
