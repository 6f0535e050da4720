// What a printed page says at its top, where the screen has controls: which time is shown, in which zone, and when it was printed.
import { hubNow } from '../clock'
import { isHeard, shownNow } from '../live'
import { printing } from '../print'
import { printedRange, stamp } from '../printed'
import { parseRange } from '../range'
import { route } from '../route'

export function PrintHead() {
  if (!printing.value) return null
  const at = route.value
  const live = isHeard()
  return (
    <header class="print-only print-head">
      {'query' in at && <p>{printedRange(parseRange(at.query), shownNow())}</p>}
      <p>
        Telltale at {location.host}, printed {stamp(hubNow())}
        {live ? '' : `; not connected since ${stamp(shownNow())}`}
      </p>
    </header>
  )
}
