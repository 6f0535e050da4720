// What stands in the place of a page that could not be drawn: what happened, and what can be done.

export function Failed({ error, onAgain }: { error: unknown; onAgain(): void }) {
  return (
    <main class="away">
      <h1>This page could not be drawn</h1>
      <p>
        An error of the page itself: <code>{error instanceof Error ? error.message : String(error)}</code>. Your data is
        not touched by it.
      </p>
      <p>
        <button type="button" class="primary" onClick={onAgain}>
          Draw it again
        </button>{' '}
        <button type="button" onClick={() => location.reload()}>
          Load the page anew
        </button>
      </p>
    </main>
  )
}
