// From counters that only rise to what happens each second: pure.
import type { HubStatus } from '../../hub/status'

export interface Sample {
  /** The hub's clock, ms. */
  time: number
  started: number
  counters: Readonly<Record<string, number>>
}

export interface Rates {
  readings: number
  duplicates: number
  refused: number
  commits: number
  /** Mean time of appending and syncing one commit, ms; undefined without commits. */
  commitMs: number | undefined
  logBytes: number
  frames: number
  merged: number
}

/** Samples kept for the small charts: five minutes at one each two seconds. */
export const SAMPLES_KEPT = 151

export function sampleOf(status: HubStatus): Sample {
  return { time: status.now, started: status.started, counters: status.counters }
}

/** Puts a sample at the end. A hub that was started anew counts from 0, so what came before says nothing. */
export function withSample(samples: readonly Sample[], next: Sample): Sample[] {
  const last = samples.at(-1)
  if (last === undefined || last.started !== next.started) return [next]
  if (next.time <= last.time) return [...samples]
  return [...samples, next].slice(-SAMPLES_KEPT)
}

export function ratesBetween(before: Sample, after: Sample): Rates {
  const seconds = (after.time - before.time) / 1000
  const rise = (name: string) => Math.max(0, (after.counters[name] ?? 0) - (before.counters[name] ?? 0))
  const each = (name: string) => (seconds > 0 ? rise(name) / seconds : 0)
  const commits = rise('commits')
  return {
    readings: each('readings_stored'),
    duplicates: each('readings_duplicate'),
    refused: each('readings_refused'),
    commits: each('commits'),
    commitMs: commits > 0 ? rise('commit_ns') / commits / 1e6 : undefined,
    logBytes: each('commit_bytes'),
    frames: each('live_frames'),
    merged: each('live_readings_merged'),
  }
}

/** The rates of each step between two samples, oldest first. */
export function steps(samples: readonly Sample[]): Rates[] {
  return samples.slice(1).map((after, i) => ratesBetween(samples[i] ?? after, after))
}

export interface Growth {
  bytesPerDay: number
  days: number
}

/** What a day takes: the mean of the last closed days, up to a week. Undefined before the first is over. */
export function growthOf(files: readonly { day: string; bytes: number }[], today: string): Growth | undefined {
  const byDay = new Map<string, number>()
  for (const { day, bytes } of files) if (day < today) byDay.set(day, (byDay.get(day) ?? 0) + bytes)
  const last = [...byDay.entries()].sort(([a], [b]) => (a < b ? 1 : -1)).slice(0, 7)
  if (last.length === 0) return undefined
  return { bytesPerDay: last.reduce((sum, [, bytes]) => sum + bytes, 0) / last.length, days: last.length }
}
