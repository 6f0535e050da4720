// The last readings that were refused: when, from whom, and why.
import { useSignal } from '@preact/signals'
import { hubNow } from '../../clock'
import type { Refusal } from '../../hub/refusals'
import { Scroll } from '../../parts/scroll'
import { moment, sentence } from '../../words'

const SHOWN = 100

export function RefusalsCard(props: { refusals: readonly Refusal[]; byCode: Readonly<Record<string, number>> }) {
  const { refusals, byCode } = props
  const code = useSignal('')
  const codes = Object.entries(byCode).sort(([, a], [, b]) => b - a)
  const wanted = refusals.filter((one) => code.value === '' || one.code === code.value)
  return (
    <section class="card table-card" aria-label="Refused readings">
      <h2>Refused readings</h2>
      {codes.length === 0 && <p class="none-here">None since the hub started.</p>}
      {codes.length > 0 && (
        <fieldset class="chips" aria-label="Reasons">
          {codes.map(([name, count]) => (
            <button
              key={name}
              type="button"
              aria-pressed={code.value === name}
              onClick={() => {
                code.value = code.value === name ? '' : name
              }}
            >
              {name} <b>{count}</b>
            </button>
          ))}
        </fieldset>
      )}
      {wanted.length > 0 && <RefusalsTable refusals={wanted.slice(0, SHOWN)} />}
      {wanted.length > SHOWN && (
        <p class="none-here">
          The newest {SHOWN} of {wanted.length} are shown.
        </p>
      )}
    </section>
  )
}

function RefusalsTable({ refusals }: { refusals: readonly Refusal[] }) {
  const now = hubNow()
  return (
    <Scroll name="Table of refused readings">
      <table>
        <thead>
          <tr>
            <th scope="col">When</th>
            <th scope="col">Token</th>
            <th scope="col">Device</th>
            <th scope="col">Metric</th>
            <th scope="col">Why</th>
          </tr>
        </thead>
        <tbody>
          {refusals.map((one, i) => (
            <tr key={`${one.time} ${i}`}>
              <td>{moment(one.time, now)}</td>
              <td>{one.tokenName === '' ? `${one.token}, revoked` : one.tokenName}</td>
              <td>{one.device}</td>
              <td>{one.metric}</td>
              <td class="why">
                <code>{one.code}</code> {sentence(one.message)}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </Scroll>
  )
}
