// Whole screens that are seen when something is missing: no login, no hub, no readings, no match.
import { LoginPage } from '../src/pages/login'
import { Welcome } from '../src/pages/welcome'
import { Logo } from '../src/parts/logo'
import type { Specimen } from './specimens'

function Away() {
  return (
    <div class="away">
      <Logo />
      <h1>The hub does not answer.</h1>
      <p>Is it running? The page goes on by itself when it is back.</p>
    </div>
  )
}

function Notes() {
  return (
    <>
      <p class="note card-error">The hub is busy: history is asked for again in a moment.</p>
      <p class="toast">
        The connection to the hub broke. The picture stays and goes on by itself. <button type="button">Dismiss</button>
      </p>
      <p class="none">No device matches “pmup”.</p>
      <p class="none">No series of a device “attic” is stored here.</p>
    </>
  )
}

const REFUSED = {
  message: 'This code is not known.',
  hint: 'It counts once, for 15 minutes: `telltale login` prints another.',
}

export const SCREENS: readonly Specimen[] = [
  { name: 'notes', title: 'Notes: what went wrong, and nothing found', show: Notes },
  { name: 'welcome', title: 'First screen of an empty hub', show: () => <Welcome who={undefined} /> },
  {
    name: 'nothing-to-see',
    title: 'An empty list, seen with a token that may only look',
    show: () => <Welcome who={{ role: 'viewer', name: 'guest' }} />,
  },
  { name: 'login', title: 'Login, refused', show: () => <LoginPage notice={REFUSED} /> },
  { name: 'away', title: 'A hub that is away', show: Away },
]
