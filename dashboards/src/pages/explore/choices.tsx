// What is made of the series: buckets, what each shows, another time beside it, one axis or two.
import { AGGREGATES, AXES, type Axes, COMPARES, type Compare, EVERY, type View } from './view'

export function Choices({ view, onSet }: { view: View; onSet(part: Partial<View>): void }) {
  return (
    <div class="choices">
      <Choice
        name="Buckets"
        value={view.every}
        options={[['', 'as fine as can be seen'], ...EVERY.map((every) => [every, every] as const)]}
        onChange={(every) => onSet({ every })}
      />
      {view.every !== '' && (
        <Choice
          name="Each shows"
          value={view.agg}
          options={AGGREGATES.map((agg) => [agg, agg] as const)}
          onChange={(agg) => onSet({ agg })}
        />
      )}
      <Choice
        name="Compare with"
        value={view.compare}
        options={Object.entries(COMPARES)}
        onChange={(compare) => onSet({ compare: compare as Compare })}
      />
      <Choice
        name="Axes"
        value={view.axes}
        options={Object.entries(AXES)}
        onChange={(axes) => onSet({ axes: axes as Axes })}
      />
    </div>
  )
}

interface ChoiceProps {
  name: string
  value: string
  options: readonly (readonly [string, string])[]
  onChange(value: string): void
}

function Choice({ name, value, options, onChange }: ChoiceProps) {
  return (
    <label>
      {name}
      <select value={value} onChange={(event) => onChange(event.currentTarget.value)}>
        {options.map(([key, text]) => (
          <option key={key} value={key}>
            {text}
          </option>
        ))}
      </select>
    </label>
  )
}
