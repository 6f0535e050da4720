// What the tab, the history of the browser and a bookmark call a page.
import { useEffect } from 'preact/hooks'

const NAME = 'Telltale'

export function useTitle(page: string): void {
  useEffect(() => {
    document.title = page === '' ? NAME : `${page} · ${NAME}`
  }, [page])
}
