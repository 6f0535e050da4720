// The login: by the link that the hub prints, or by a token. The form keeps what was typed when the hub refuses.
import { useSignal } from '@preact/signals'
import { Command } from '../parts/command'
import { Logo } from '../parts/logo'
import { codeOf, logIn, type Notice } from '../session'
import { useTitle } from '../title'

export function LoginPage({ notice }: { notice: Notice | undefined }) {
  useTitle('Log in')
  const token = useSignal('')
  const busy = useSignal(false)
  const submit = async (event: Event) => {
    event.preventDefault()
    const typed = token.value.trim()
    if (typed === '' || busy.value) return
    busy.value = true
    await logIn(credentialsOf(typed))
    busy.value = false
  }
  return (
    <main class="login">
      <div class="login-box">
        <Logo />
        <h1>Telltale</h1>
        {notice !== undefined && (
          <div class="notice" role="alert">
            <p>{notice.message}</p>
            {notice.hint !== undefined && <p class="hint">{notice.hint}</p>}
          </div>
        )}
        <p>Open the link that the hub prints when it starts. For a new one:</p>
        <Command text="telltale login" />
        <form onSubmit={(event) => void submit(event)}>
          <label for="token">Or paste a link or a token</label>
          <input
            id="token"
            type="password"
            autocomplete="off"
            spellcheck={false}
            value={token.value}
            onInput={(event) => {
              token.value = event.currentTarget.value
            }}
          />
          <button type="submit" class="primary" disabled={busy.value}>
            {busy.value ? 'Asking the hub' : 'Log in'}
          </button>
        </form>
      </div>
    </main>
  )
}

/** A whole login link pasted into the field counts as its code. */
function credentialsOf(typed: string): { code: string } | { token: string } {
  const code = codeOf(typed)
  return code === undefined ? { token: typed } : { code }
}
