// Choosing the time that is shown: the usual spans at hand; calendar, exact times and the time zone in a box; steps to either
// side, and back to what was shown before a zoom.
import { hubNow } from '../clock'
import { DEFAULT_RANGE, moved, SPANS, type TimeRange, windowOf, zoomed } from '../range'
import { RangeBox } from './range-box'

interface RangeBarProps {
  range: TimeRange
  onRange(range: TimeRange): void
  /** Steps to either side and out, told as a change of the window. Without, they are ranges like others. */
  onMove?(change: (window: { from: number; to: number }) => TimeRange): void
  /** Undoes the last zoom; there is none while `canUndo` is false. */
  onUndo?(): void
  canUndo?: boolean
  /** Zones of the sites shown, offered beside the viewer's own and UTC. */
  zones?: readonly string[]
}

/** What slid last, on any page: where "Back to live" leads. */
let slid: TimeRange = DEFAULT_RANGE

/** Today has now in it as much as the last hour has. */
function isLive(range: TimeRange): boolean {
  if (range.kind === 'last') return true
  const now = hubNow()
  return range.kind === 'calendar' && windowOf(range, now).to > now
}

export function RangeBar({ range, onRange, onMove, onUndo, canUndo = false, zones = [] }: RangeBarProps) {
  if (range.kind === 'last') slid = range
  const step = onMove ?? ((change) => onRange(change(windowOf(range, hubNow()))))
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
        <Step name="Earlier" sign="‹" onStep={() => step((window) => moved(window, -0.5))} />
        <Step name="Later" sign="›" onStep={() => step((window) => moved(window, 0.5))} />
        <Step name="Zoom out" sign="−" onStep={() => step((window) => zoomed(window, 2))} />
      </fieldset>
      {canUndo && (
        <button type="button" class="link" title="Also Backspace, or a double click on a chart" onClick={onUndo}>
          Undo zoom
        </button>
      )}
      {isLive(range) ? (
        <p class="range-hint">Drag across a chart to zoom</p>
      ) : (
        <button type="button" class="link" onClick={() => onRange(slid)}>
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
