// Names and values in rows, to be typed.

type Row = readonly [name: string, value: string]

interface AttributesProps {
  rows: readonly Row[]
  onRows(rows: readonly Row[]): void
}

/** The last row is empty, for one more; a row whose value is emptied is taken away. */
export function Attributes({ rows, onRows }: AttributesProps) {
  const put = (i: number, name: string, value: string) => {
    const next = rows.map((row, at) => (at === i ? ([name, value] as const) : row))
    onRows(next.at(-1)?.join('') === '' ? next : [...next, ['', '']])
  }
  return (
    <fieldset class="attributes">
      <legend>Attributes, such as site or tz</legend>
      {rows.map(([name, value], i) => (
        <p key={i}>
          <input
            type="text"
            aria-label={`Attribute ${i + 1}, name`}
            placeholder="site"
            value={name}
            onInput={(event) => put(i, event.currentTarget.value, value)}
          />
          <input
            type="text"
            aria-label={`Attribute ${i + 1}, value`}
            placeholder="Harbour"
            value={value}
            onInput={(event) => put(i, name, event.currentTarget.value)}
          />
        </p>
      ))}
    </fieldset>
  )
}
