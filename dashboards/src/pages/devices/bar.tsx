// The head of the list: how many are how, what is shown of them, in which order and form.
import type { DeviceState } from '@telltale/client'
import { STATE_WORDS } from '../../parts/state'
import { type Filters, FORMS, type Form, GATEWAY, type Offer, STATES } from './filters'
import { ORDERS, type Order } from './list'

interface BarProps {
  filters: Filters
  form: Form
  counts: Readonly<Record<DeviceState, number>>
  /** Further pages are on their way. */
  more: boolean
  offers: readonly Offer[]
  onSet(part: Partial<Filters>): void
}

export function Bar(props: BarProps) {
  const { filters, form, counts, more, onSet } = props
  const all = STATES.reduce((sum, state) => sum + counts[state], 0)
  return (
    <>
      <div class="bar">
        <h1>Devices</h1>
        <p class="counts">
          {counts.online} of {all}
          {more ? '+' : ''} online
        </p>
        <label class="order">
          <span class="visually-hidden">Order by</span>
          <select value={filters.order} onChange={(event) => onSet({ order: event.currentTarget.value as Order })}>
            {Object.entries(ORDERS).map(([name, text]) => (
              <option key={name} value={name}>
                by {text}
              </option>
            ))}
          </select>
        </label>
        <fieldset class="segments" aria-label="Show as">
          {FORMS.map((one) => (
            <button key={one} type="button" aria-pressed={form === one} onClick={() => onSet({ form: one })}>
              {one}
            </button>
          ))}
        </fieldset>
        <input
          type="search"
          placeholder="Filter by name, site, state"
          aria-label="Filter devices"
          value={filters.typed}
          onInput={(event) => onSet({ typed: event.currentTarget.value })}
        />
      </div>
      <div class="device-filters">
        <StateChips {...props} all={all} />
        <AttributeFilter {...props} />
      </div>
    </>
  )
}

/** A state that no device has is not offered, unless it is the one that was asked for; where all are online, none is. */
function StateChips({ filters, counts, all, onSet }: BarProps & { all: number }) {
  const offered = STATES.filter((state) => counts[state] > 0 || state === filters.state)
  if (filters.state === undefined && counts.online === all) return null
  return (
    <fieldset class="chips" aria-label="State">
      <button type="button" aria-pressed={filters.state === undefined} onClick={() => onSet({ state: undefined })}>
        all {all}
      </button>
      {offered.map((state) => (
        <button
          key={state}
          type="button"
          title={STATE_WORDS[state].hint}
          aria-pressed={filters.state === state}
          onClick={() => onSet({ state: filters.state === state ? undefined : state })}
        >
          {STATE_WORDS[state].word} {counts[state]}
        </button>
      ))}
    </fieldset>
  )
}

function AttributeFilter({ filters, offers, onSet }: BarProps) {
  const without = (at: number) => filters.where.filter((_, i) => i !== at)
  return (
    <>
      {filters.where.map(([name, value], i) => (
        <button
          key={`${name}=${value}`}
          type="button"
          class="filter-chip"
          aria-label={`Remove the filter ${nameOf(name)} ${value}`}
          onClick={() => onSet({ where: without(i) })}
        >
          {nameOf(name)} <b>{value}</b> ✕
        </button>
      ))}
      {offers.length > 0 && (
        <label class="order">
          <span class="visually-hidden">Filter by attribute</span>
          <select
            value=""
            onChange={(event) => {
              const [name, value] = JSON.parse(event.currentTarget.value) as [string, string]
              event.currentTarget.value = ''
              const known = filters.where.some((one) => one[0] === name && one[1] === value)
              if (!known) onSet({ where: [...filters.where, [name, value]] })
            }}
          >
            <option value="" disabled hidden>
              Site, attribute …
            </option>
            {offers.map(({ name, values }) => (
              <optgroup key={name} label={nameOf(name)}>
                {values.map((value) => (
                  <option key={value} value={JSON.stringify([name, value])}>
                    {value}
                  </option>
                ))}
              </optgroup>
            ))}
          </select>
        </label>
      )}
    </>
  )
}

function nameOf(name: string): string {
  return name === GATEWAY ? 'gateway' : name
}
