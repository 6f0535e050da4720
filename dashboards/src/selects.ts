// Many selectors, in as many questions or subscriptions as the hub takes. Pure.

/** The hub takes no more in one. */
const SELECTS_MOST = 64

export function inGroups(selects: readonly string[]): string[][] {
  const groups: string[][] = []
  for (let i = 0; i < selects.length; i += SELECTS_MOST) groups.push(selects.slice(i, i + SELECTS_MOST))
  return groups
}
