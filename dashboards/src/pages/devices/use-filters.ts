// The filters of the list: the address holds them; who comes back to the list finds them as they were, and the form of the list
// stays for the next visit.
import { effect } from '@preact/signals'
import { useEffect } from 'preact/hooks'
import { goTo } from '../../route'
import { session } from '../../session'
import { type Filters, FORMS, type Form, filtersHref, parseFilters } from './filters'

const KEY = 'telltale.devices-form'

/** What the list was left with. */
let leftWith = ''

effect(() => {
  // The next who logs in looks for others.
  if (session.value.phase !== 'in') leftWith = ''
})

interface Filtering {
  filters: Filters
  form: Form
  onSet(part: Partial<Filters>): void
}

export function useFilters(query: URLSearchParams): Filtering {
  const filters = parseFilters(query)
  const href = filtersHref(filters)
  useEffect(() => {
    if (href === '#/' && leftWith !== '') goTo(leftWith, 'choice')
  }, [])
  useEffect(() => {
    leftWith = href === '#/' ? '' : href
  }, [href])
  const onSet = (part: Partial<Filters>) => {
    if (part.form !== undefined) keepForm(part.form)
    goTo(filtersHref({ ...filters, ...part }), part.typed === undefined ? 'choice' : 'move')
  }
  return { filters, form: filters.form ?? keptForm(), onSet }
}

function keptForm(): Form {
  try {
    return FORMS.find((form) => form === localStorage.getItem(KEY)) ?? 'rows'
  } catch {
    return 'rows'
  }
}

function keepForm(form: Form): void {
  try {
    localStorage.setItem(KEY, form)
  } catch {
    // A browser that keeps nothing: the address has it.
  }
}
