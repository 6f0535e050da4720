// Tokens: who may do what; a new one is shown once; a revoked one ends its sockets within a second.
import { type Signal, useSignal } from '@preact/signals'
import { useRef } from 'preact/hooks'
import { hubNow } from '../../clock'
import { createToken, fetchTokens, revokeToken, type Token, type TokenWish } from '../../hub/tokens'
import { Command } from '../../parts/command'
import { useKeptFocus } from '../../parts/kept-focus'
import { Scroll } from '../../parts/scroll'
import { failureText, isAway } from '../../rest'
import { moment } from '../../words'
import { useRepeated } from './use-repeated'

const ASK_MS = 5_000

export function TokensCard() {
  const tokens = useSignal<readonly Token[] | undefined>(undefined)
  const error = useSignal('')
  const made = useSignal<{ name: string; secret: string } | undefined>(undefined)
  const unread = useSignal('')
  const read = async () => {
    try {
      tokens.value = await fetchTokens()
      unread.value = ''
    } catch (caught) {
      // Of a hub that is away the connection's own line tells.
      unread.value = isAway(caught) ? '' : failureText(caught, 'The tokens could not be read.')
    }
  }
  const attempt = async (run: () => Promise<void>): Promise<boolean> => {
    try {
      await run()
      error.value = ''
    } catch (caught) {
      error.value = failureText(caught, 'It could not be done.')
      return false
    }
    await read()
    return true
  }
  // They are made and revoked by commands too.
  useRepeated(ASK_MS, read)
  return (
    <section class="card table-card" aria-label="Tokens">
      <h2>Tokens</h2>
      {error.value !== '' && (
        <p class="card-error" role="alert">
          {error.value}
        </p>
      )}
      {unread.value !== '' && <p class="card-error">{unread.value}</p>}
      {tokens.value !== undefined && (
        <TokensTable tokens={tokens.value} onRevoke={(id) => void attempt(() => revokeToken(id))} />
      )}
      {made.value !== undefined && (
        <div class="made">
          <p>
            The token of <b>{made.value.name}</b>. It is shown this once:
          </p>
          <Command text={made.value.secret} />
        </div>
      )}
      <NewToken
        onWish={(wish) =>
          attempt(async () => {
            made.value = { name: wish.name === '' ? wish.role : wish.name, secret: await createToken(wish) }
          })
        }
      />
    </section>
  )
}

function TokensTable({ tokens, onRevoke }: { tokens: readonly Token[]; onRevoke(id: number): void }) {
  const asked = useSignal<number | undefined>(undefined)
  const now = hubNow()
  return (
    <Scroll name="Table of tokens">
      <table>
        <thead>
          <tr>
            <th scope="col">Name</th>
            <th scope="col">Role</th>
            <th scope="col">Reaches</th>
            <th scope="col">Made</th>
            <td />
          </tr>
        </thead>
        <tbody>
          {tokens.map((token) => (
            <tr key={token.id}>
              <th scope="row">{token.name}</th>
              <td>{token.role}</td>
              <td class="mono">{[token.devices, token.select].filter(Boolean).join(' and ') || 'everything'}</td>
              <td>{moment(token.created, now)}</td>
              <RevokeCell token={token} asked={asked} onRevoke={onRevoke} />
            </tr>
          ))}
        </tbody>
      </table>
    </Scroll>
  )
}

interface RevokeProps {
  token: Token
  asked: Signal<number | undefined>
  onRevoke(id: number): void
}

function RevokeCell(props: RevokeProps) {
  const cell = useRef<HTMLTableCellElement>(null)
  // A second press of the same key keeps the token.
  useKeptFocus(cell, props.asked.value === props.token.id, 'button:last-of-type')
  return (
    <td class="num" ref={cell}>
      <Revoke {...props} />
    </td>
  )
}

/** Asks once more: what used the token is cut off at once. */
function Revoke({ token, asked, onRevoke }: RevokeProps) {
  if (asked.value !== token.id) {
    return (
      <button
        type="button"
        class="link"
        aria-label={`Revoke ${token.name}`}
        onClick={() => {
          asked.value = token.id
        }}
      >
        Revoke
      </button>
    )
  }
  return (
    <Confirm
      name={token.name}
      onYes={() => onRevoke(token.id)}
      onNo={() => {
        asked.value = undefined
      }}
    />
  )
}

function Confirm({ name, onYes, onNo }: { name: string; onYes(): void; onNo(): void }) {
  return (
    <>
      <button type="button" class="link danger" onClick={onYes}>
        Revoke {name} now
      </button>{' '}
      <button type="button" class="link" onClick={onNo}>
        Keep
      </button>
    </>
  )
}

const NONE: TokenWish = { role: 'agent', name: '', devices: '', select: '' }

/** What was typed stays when the hub refuses it. */
function NewToken({ onWish }: { onWish(wish: TokenWish): Promise<boolean> }) {
  const wish = useSignal<TokenWish>(NONE)
  const busy = useSignal(false)
  const set = (part: Partial<TokenWish>) => {
    wish.value = { ...wish.value, ...part }
  }
  const submit = async () => {
    busy.value = true
    if (await onWish(wish.value)) wish.value = { ...NONE, role: wish.value.role }
    busy.value = false
  }
  return (
    <form
      class="new-token"
      onSubmit={(event) => {
        event.preventDefault()
        void submit()
      }}
    >
      <label>
        Role
        <select value={wish.value.role} onChange={(event) => set({ role: event.currentTarget.value })}>
          <option value="agent">agent: sends readings</option>
          <option value="viewer">viewer: sees them</option>
          <option value="admin">admin: everything</option>
        </select>
      </label>
      <Field name="Name" hint="roof gateway" value={wish.value.name} onInput={(name) => set({ name })} />
      <Field name="Devices" hint="all, or roof-*" value={wish.value.devices} onInput={(devices) => set({ devices })} />
      <Field name="Series" hint="all, or */temp*" value={wish.value.select} onInput={(select) => set({ select })} />
      <button type="submit" class="primary" disabled={busy.value}>
        Make a token
      </button>
    </form>
  )
}

function Field(props: { name: string; hint: string; value: string; onInput(value: string): void }) {
  return (
    <label>
      {props.name}
      <input
        type="text"
        placeholder={props.hint}
        value={props.value}
        onInput={(event) => props.onInput(event.currentTarget.value)}
      />
    </label>
  )
}
