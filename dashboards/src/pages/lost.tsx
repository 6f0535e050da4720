// An address that names no page: said, not passed over.
import { Logo } from '../parts/logo'
import { useTitle } from '../title'

export function LostPage() {
  useTitle('No such page')
  return (
    <main class="away">
      <Logo />
      <h1>There is no page at this address</h1>
      <p>
        A link may have been cut short.{' '}
        <a class="link" href="#/">
          All devices
        </a>
      </p>
    </main>
  )
}
