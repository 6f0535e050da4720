// A small line of recent figures beside a number: no axes, only how it goes.

const WIDTH = 120
const HEIGHT = 28

export function Trend({ values, label }: { values: readonly (number | undefined)[]; label: string }) {
  const path = trendPath(values, WIDTH, HEIGHT)
  return (
    <svg class="trend" viewBox={`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none" role="img" aria-label={label}>
      {path !== '' && <path d={path} vector-effect="non-scaling-stroke" />}
    </svg>
  )
}

/** A path over the whole width, 0 at the foot; broken where there is no value. */
export function trendPath(values: readonly (number | undefined)[], width: number, height: number): string {
  const known = values.filter((value): value is number => value !== undefined)
  if (values.length < 2 || known.length === 0) return ''
  const top = Math.max(...known) || 1
  const x = (i: number) => ((i / (values.length - 1)) * width).toFixed(1)
  const y = (value: number) => (height - 1 - (value / top) * (height - 2)).toFixed(1)
  let path = ''
  let drawing = false
  values.forEach((value, i) => {
    if (value === undefined) {
      drawing = false
      return
    }
    path += `${drawing ? 'L' : 'M'}${x(i)} ${y(value)}`
    drawing = true
  })
  return path
}
