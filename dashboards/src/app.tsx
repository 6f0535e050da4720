// What is shown: a login, or the head with the state of the connection and below it the page of the address.

import { useEffect, useErrorBoundary } from 'preact/hooks'
import type { Session } from './api'
import { isHeard } from './live'
import { DevicePage } from './pages/device'
import { DevicesPage } from './pages/devices'
import { ExplorePage } from './pages/explore'
import { LoginPage } from './pages/login'
import { LostPage } from './pages/lost'
import { StatusPage } from './pages/status'
import { ConnectionNote, ConnectionPill } from './parts/connection'
import { Failed } from './parts/failed'
import { Logo } from './parts/logo'
import { PrintHead } from './parts/print-head'
import { route, routeKey } from './route'
import { logOut, session } from './session'
import { type Theme, theme } from './theme'

export function App() {
  const state = session.value
  switch (state.phase) {
    case 'asking':
      // Seen only when the hub takes its time.
      return (
        <main class="away late">
          <Logo />
          <h1>Asking the hub</h1>
        </main>
      )
    case 'away':
      return (
        <main class="away">
          <Logo />
          <h1>{state.notice.message}</h1>
          <p>{state.notice.hint}</p>
        </main>
      )
    case 'out':
      return <LoginPage notice={state.notice} />
    case 'in':
      return (
        <>
          <Head who={state.session} />
          <ConnectionNote />
          <PrintHead />
          <div class={isHeard() ? '' : 'stale'}>
            <Guarded key={routeKey.value} />
          </div>
        </>
      )
  }
}

/** What fails in a page blanks neither the head nor the other pages. */
function Guarded() {
  const [error, again] = useErrorBoundary((error) => reportError(error))
  useEffect(beginPage, [])
  return error === undefined ? <Page /> : <Failed error={error} onAgain={again} />
}

let pages = 0

/** Whoever goes from page to page by keys or by ear begins at the head of the next one; the first page is as the browser has it. */
function beginPage(): void {
  pages += 1
  const main = document.querySelector('main')
  if (pages === 1 || main === null) return
  main.tabIndex = -1
  main.focus({ preventScroll: true })
}

function Page() {
  const at = route.value
  switch (at.page) {
    case 'device':
      return <DevicePage key={at.id} id={at.id} query={at.query} />
    case 'explore':
      return <ExplorePage query={at.query} />
    case 'status':
      return <StatusPage />
    case 'lost':
      return <LostPage />
    case 'devices':
      return <DevicesPage query={at.query} />
  }
}

const PAGES = [
  { page: 'devices', href: '#/', name: 'Devices' },
  { page: 'explore', href: '#/explore', name: 'Explore' },
  { page: 'status', href: '#/status', name: 'Status' },
] as const

function Head({ who }: { who: Session }) {
  const at = route.value.page === 'device' ? 'devices' : route.value.page
  // What only an administrator may see is not offered to others.
  const pages = PAGES.filter(({ page }) => page !== 'status' || who.role === 'admin')
  return (
    <header class="head">
      <a class="brand" href="#/" aria-label="Telltale: all devices">
        <Logo />
        <span>Telltale</span>
      </a>
      <nav class="pages" aria-label="Pages">
        {pages.map(({ page, href, name }) => (
          <a key={page} href={href} aria-current={page === at ? 'page' : undefined}>
            {name}
          </a>
        ))}
      </nav>
      <span class="spring" />
      <ConnectionPill />
      <ThemeButton />
      <button
        type="button"
        class="quiet log-out"
        title={`Logged in as ${who.name || who.role}`}
        onClick={() => void logOut()}
      >
        Log out
      </button>
    </header>
  )
}

const NEXT: Readonly<Record<Theme, Theme>> = { system: 'light', light: 'dark', dark: 'system' }
function ThemeButton() {
  const now = theme.value
  return (
    <button
      type="button"
      class="quiet icon"
      title={`Colours: ${now}. Click for ${NEXT[now]}.`}
      aria-label={`Colours: ${now}. Change to ${NEXT[now]}.`}
      onClick={() => {
        theme.value = NEXT[now]
      }}
    >
      <ThemeSign theme={now} />
    </button>
  )
}

function ThemeSign({ theme: shown }: { theme: Theme }) {
  return (
    <svg
      viewBox="0 0 20 20"
      fill="none"
      stroke="currentColor"
      stroke-width="1.6"
      stroke-linecap="round"
      aria-hidden="true"
    >
      {shown === 'system' && (
        <>
          <circle cx="10" cy="10" r="6.5" />
          <path d="M10 3.5a6.5 6.5 0 0 0 0 13z" fill="currentColor" stroke="none" />
        </>
      )}
      {shown === 'light' && (
        <>
          <circle cx="10" cy="10" r="3.4" />
          <path d="M10 1.8v1.6M10 16.6v1.6M1.8 10h1.6M16.6 10h1.6M4.2 4.2l1.1 1.1M14.7 14.7l1.1 1.1M4.2 15.8l1.1-1.1M14.7 5.3l1.1-1.1" />
        </>
      )}
      {shown === 'dark' && <path d="M16 12.2A6.6 6.6 0 0 1 7.8 4a6.6 6.6 0 1 0 8.2 8.2z" />}
    </svg>
  )
}
