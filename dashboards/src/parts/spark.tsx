// A line without axes: how a value went over a time, from its lowest to its highest.

const WIDTH = 96
const HEIGHT = 26

interface SparkProps {
  points: readonly (readonly [number, number])[]
  from: number
  to: number
  label: string
}

export function Spark({ points, from, to, label }: SparkProps) {
  const path = sparkPath(points, from, to, WIDTH, HEIGHT)
  return (
    <svg class="spark" viewBox={`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none" role="img" aria-label={label}>
      {path !== '' && <path d={path} vector-effect="non-scaling-stroke" />}
    </svg>
  )
}

/** Broken where nothing came for a tenth of the time. */
export function sparkPath(
  points: readonly (readonly [number, number])[],
  from: number,
  to: number,
  width: number,
  height: number,
): string {
  if (points.length === 0) return ''
  const values = points.map(([, value]) => value)
  const [low, high] = [Math.min(...values), Math.max(...values)]
  const x = (time: number) => (((time - from) / (to - from)) * width).toFixed(1)
  const y = (value: number) =>
    (high === low ? height / 2 : height - 1 - ((value - low) / (high - low)) * (height - 2)).toFixed(1)
  let path = ''
  let before = Number.NEGATIVE_INFINITY
  for (const [time, value] of points) {
    path += `${time - before > (to - from) / 10 ? 'M' : 'L'}${x(time)} ${y(value)}`
    before = time
  }
  return path
}
