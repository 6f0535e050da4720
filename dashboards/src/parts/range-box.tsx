// The box behind the range that is shown: days, weeks and months of the calendar, exact times, the zone, the first day of a week.
import { useSignal } from '@preact/signals'
import { useEffect, useMemo, useRef } from 'preact/hooks'
import { hubNow } from '../clock'
import {
  CALENDAR_NAMES,
  calendarText,
  fieldText,
  lastSpan,
  MORE_SPANS,
  MOST_MS,
  type TimeRange,
  windowOf,
} from '../range'
import { windowText } from '../words'
import { dayOfWeek, instant, isZone, localeWeekStart, setWeekStart, setZone, weekChoice, zone, zoneName } from '../zone'

interface RangeBoxProps {
  range: TimeRange
  onRange(range: TimeRange): void
  zones: readonly string[]
}

/** What is shown, as words. */
export function rangeText(range: TimeRange, now: number): string {
  if (range.kind === 'last') return `Last ${range.span}`
  if (range.kind === 'calendar') return calendarText(range.name)
  return windowText(range.from, range.to, now)
}

export function RangeBox({ range, onRange, zones }: RangeBoxProps) {
  const box = useRef<HTMLDetailsElement>(null)
  const opened = useSignal(0)
  useClosing(box)
  const choose = (next: TimeRange) => {
    if (box.current !== null) closeBox(box.current)
    onRange(next)
  }
  const zoneText = zone.value === 'local' ? '' : ` · ${zone.value}`
  return (
    <details class="range-box" ref={box}>
      {/* biome-ignore lint/a11y/noStaticElementInteractions: a summary is pressed, by keys too. */}
      <summary
        aria-label={`Time range: ${rangeText(range, hubNow())}${zoneText}. Change it.`}
        onClick={() => {
          // A sliding window has gone on since it was open: its times are those of now.
          if (box.current?.open === false) opened.value += 1
        }}
      >
        {rangeText(range, hubNow())}
        {zoneText}
      </summary>
      <div class="range-panel">
        <ul class="range-names">
          {CALENDAR_NAMES.map((name) => (
            <li key={name}>
              <Choice range={{ kind: 'calendar', name }} now={range} onChoose={choose} />
            </li>
          ))}
          {MORE_SPANS.map((span) => (
            <li key={span}>
              <Choice range={{ kind: 'last', span }} now={range} onChoose={choose} />
            </li>
          ))}
        </ul>
        <div class="range-exact">
          <Last key={`${JSON.stringify(range)} ${opened.value}`} range={range} onRange={choose} />
          <Exact key={`${JSON.stringify(range)} ${opened.value} exact`} range={range} onRange={choose} />
          <ZoneField zones={zones} />
          <WeekField />
        </div>
      </div>
    </details>
  )
}

function Choice(props: { range: TimeRange; now: TimeRange; onChoose(range: TimeRange): void }) {
  const { range, now, onChoose } = props
  return (
    <button type="button" aria-pressed={JSON.stringify(range) === JSON.stringify(now)} onClick={() => onChoose(range)}>
      {rangeText(range, 0)}
    </button>
  )
}

/** So much up to now, typed; what is no length says so and stays. */
function Last({ range, onRange }: { range: TimeRange; onRange(range: TimeRange): void }) {
  const typed = useSignal(range.kind === 'last' ? range.span : '')
  const error = useSignal('')
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault()
        const next = lastSpan(typed.value)
        if (next === undefined) error.value = 'A length such as 90m, 12h or 3d, of at most 50 years.'
        else onRange(next)
      }}
    >
      <div class="range-last">
        <label>
          The last
          <input
            type="text"
            placeholder="90m, 12h, 3d"
            autocomplete="off"
            value={typed.value}
            onInput={(event) => {
              typed.value = event.currentTarget.value
            }}
          />
        </label>
        <button type="submit" class="link">
          Go
        </button>
      </div>
      {error.value !== '' && (
        <p class="card-error" role="alert">
          {error.value}
        </p>
      )}
    </form>
  )
}

/** From and to, typed; a wrong pair says so and stays. What was typed is a time of the zone that is chosen then, before or after it. */
function Exact({ range, onRange }: { range: TimeRange; onRange(range: TimeRange): void }) {
  const opened = useMemo(hubNow, [])
  const typed = useSignal<{ from?: string; to?: string }>({})
  const error = useSignal('')
  const shown = windowOf(range, opened)
  const from = typed.value.from ?? fieldText(shown.from)
  const to = typed.value.to ?? fieldText(shown.to)
  const put = (part: { from?: string; to?: string }) => {
    typed.value = { ...typed.value, ...part }
    error.value = ''
  }
  const apply = () => {
    const window = exactWindow(from, to)
    if (typeof window === 'string') error.value = window
    else onRange(window)
  }
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault()
        apply()
      }}
    >
      <TimeField name="From" value={from} onTyped={(text) => put({ from: text })} />
      <TimeField name="To" value={to} onTyped={(text) => put({ to: text })} />
      {error.value !== '' && (
        <p class="card-error" role="alert">
          {error.value}
        </p>
      )}
      <button type="submit" class="primary">
        Show
      </button>
    </form>
  )
}

function TimeField({ name, value, onTyped }: { name: string; value: string; onTyped(text: string): void }) {
  return (
    <label>
      {name}
      <input type="datetime-local" step="1" value={value} onInput={(event) => onTyped(event.currentTarget.value)} />
    </label>
  )
}

/** The window of two typed wall times, or what is wrong with them. */
export function exactWindow(from: string, to: string): TimeRange | string {
  const [start, end] = [from, to].map((text) => instant(Date.parse(`${text}Z`)))
  if (start === undefined || Number.isNaN(start)) return 'From needs a date and a time.'
  if (end === undefined || Number.isNaN(end)) return 'To needs a date and a time.'
  if (start >= end) return 'To must be later than From.'
  if (end - start > MOST_MS) return 'At most 50 years are shown.'
  return { kind: 'fixed', from: start, to: end }
}

function ZoneField({ zones }: { zones: readonly string[] }) {
  const own = zoneName('local')
  const sites = zones.filter(isZone)
  const offered = [...new Set(['local', 'UTC', ...sites, zone.value])]
  const text = (name: string) => (name === 'local' ? `Mine (${own})` : sites.includes(name) ? `Site (${name})` : name)
  return (
    <label>
      Time zone
      <select value={zone.value} onChange={(event) => setZone(event.currentTarget.value)}>
        {offered.map((name) => (
          <option key={name} value={name}>
            {text(name)}
          </option>
        ))}
      </select>
    </label>
  )
}

/** Monday, Sunday and Saturday are what calendars of the world begin with. */
const FIRST_DAYS = [1, 7, 6] as const

function WeekField() {
  return (
    <label>
      Weeks begin on
      <select
        value={String(weekChoice.value ?? '')}
        onChange={(event) => setWeekStart(Number(event.currentTarget.value) || undefined)}
      >
        <option value="">As my language has it ({dayOfWeek(localeWeekStart())})</option>
        {FIRST_DAYS.map((day) => (
          <option key={day} value={String(day)}>
            {dayOfWeek(day)}
          </option>
        ))}
      </select>
    </label>
  )
}

/** Whoever went in by keys is where they came from. */
function closeBox(box: HTMLDetailsElement): void {
  box.open = false
  box.querySelector('summary')?.focus()
}

/** An open box closes on Escape and on a press outside of it. */
function useClosing(box: { current: HTMLDetailsElement | null }): void {
  useEffect(() => {
    const close = (event: Event) => {
      const open = box.current
      if (open?.open !== true) return
      if (event instanceof KeyboardEvent) {
        if (event.key === 'Escape') closeBox(open)
      } else if (!open.contains(event.target as Node)) open.open = false
    }
    document.addEventListener('pointerdown', close)
    document.addEventListener('keydown', close)
    return () => {
      document.removeEventListener('pointerdown', close)
      document.removeEventListener('keydown', close)
    }
  }, [])
}
