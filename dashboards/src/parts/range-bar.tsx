// Choosing the time that is shown: the usual spans at hand; calendar, exact times and the time zone in a box; steps to either side.
import { useSignal } from '@preact/signals'
import { useEffect, useRef } from 'preact/hooks'
import { hubNow } from '../clock'
import {
  CALENDAR_NAMES,
  calendarText,
  DEFAULT_RANGE,
  fieldText,
  MORE_SPANS,
  moved,
  SPANS,
  type TimeRange,
  windowOf,
  zoomed,
} from '../range'
import { moment } from '../words'
import { instant, isZone, setZone, zone, zoneName } from '../zone'

interface RangeBarProps {
  range: TimeRange
  onRange(range: TimeRange): void
  /** Zones of the sites shown, offered beside the viewer's own and UTC. */
  zones?: readonly string[]
}

export function RangeBar({ range, onRange, zones = [] }: RangeBarProps) {
  const window = () => windowOf(range, hubNow())
  return (
    <div class="range-bar">
      <fieldset class="segments" aria-label="Time range">
        {SPANS.map((span) => (
          <button
            key={span}
            type="button"
            aria-pressed={range.kind === 'last' && range.span === span}
            onClick={() => onRange({ kind: 'last', span })}
          >
            {span}
          </button>
        ))}
      </fieldset>
      <RangeBox range={range} onRange={onRange} zones={zones} />
      <fieldset class="segments steps" aria-label="Move in time">
        <Step name="Earlier" sign="‹" onStep={() => onRange(moved(window(), -0.5))} />
        <Step name="Later" sign="›" onStep={() => onRange(moved(window(), 0.5))} />
        <Step name="Zoom out" sign="−" onStep={() => onRange(zoomed(window(), 2))} />
      </fieldset>
      {range.kind === 'last' ? (
        <p class="range-hint">Drag across a chart to zoom</p>
      ) : (
        <button type="button" class="link" onClick={() => onRange(DEFAULT_RANGE)}>
          Back to live
        </button>
      )}
    </div>
  )
}

function Step({ name, sign, onStep }: { name: string; sign: string; onStep(): void }) {
  return (
    <button type="button" title={name} aria-label={name} onClick={onStep}>
      {sign}
    </button>
  )
}

/** What is shown, as words. */
export function rangeText(range: TimeRange, now: number): string {
  if (range.kind === 'last') return `Last ${range.span}`
  if (range.kind === 'calendar') return calendarText(range.name)
  return `${moment(range.from, now)} – ${moment(range.to, now)}`
}

function RangeBox({ range, onRange, zones = [] }: RangeBarProps) {
  const box = useRef<HTMLDetailsElement>(null)
  useClosing(box)
  const choose = (next: TimeRange) => {
    if (box.current !== null) box.current.open = false
    onRange(next)
  }
  const zoneText = zone.value === 'local' ? '' : ` · ${zone.value}`
  return (
    <details class="range-box" ref={box}>
      <summary aria-label={`Time range: ${rangeText(range, hubNow())}${zoneText}. Change it.`}>
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
          <Exact key={JSON.stringify(range)} range={range} onRange={choose} />
          <ZoneField zones={zones} />
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

/** From and to, typed; a wrong pair says so and stays. */
function Exact({ range, onRange }: { range: TimeRange; onRange(range: TimeRange): void }) {
  zone.value
  const shown = windowOf(range, hubNow())
  const from = useSignal(fieldText(shown.from))
  const to = useSignal(fieldText(shown.to))
  const error = useSignal('')
  const apply = () => {
    const window = exactWindow(from.value, to.value)
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
      <TimeField name="From" value={from} />
      <TimeField name="To" value={to} />
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

function TimeField({ name, value }: { name: string; value: { value: string } }) {
  return (
    <label>
      {name}
      <input
        type="datetime-local"
        step="1"
        value={value.value}
        onInput={(event) => {
          value.value = event.currentTarget.value
        }}
      />
    </label>
  )
}

/** The window of two typed wall times, or what is wrong with them. */
export function exactWindow(from: string, to: string): TimeRange | string {
  const [start, end] = [from, to].map((text) => instant(Date.parse(`${text}Z`)))
  if (start === undefined || Number.isNaN(start)) return 'From needs a date and a time.'
  if (end === undefined || Number.isNaN(end)) return 'To needs a date and a time.'
  if (start >= end) return 'To must be later than From.'
  return { kind: 'fixed', from: start, to: end }
}

function ZoneField({ zones }: { zones: readonly string[] }) {
  const own = zoneName('local')
  const offered = [...new Set(['local', 'UTC', ...zones.filter(isZone), zone.value])]
  return (
    <label>
      Time zone
      <select value={zone.value} onChange={(event) => setZone(event.currentTarget.value)}>
        {offered.map((name) => (
          <option key={name} value={name}>
            {name === 'local' ? `Mine (${own})` : name}
          </option>
        ))}
      </select>
    </label>
  )
}

/** An open box closes on Escape and on a press outside of it. */
function useClosing(box: { current: HTMLDetailsElement | null }): void {
  useEffect(() => {
    const close = (event: Event) => {
      const open = box.current
      if (open?.open !== true) return
      if (event instanceof KeyboardEvent ? event.key === 'Escape' : !open.contains(event.target as Node))
        open.open = false
    }
    document.addEventListener('pointerdown', close)
    document.addEventListener('keydown', close)
    return () => {
      document.removeEventListener('pointerdown', close)
      document.removeEventListener('keydown', close)
    }
  }, [])
}
