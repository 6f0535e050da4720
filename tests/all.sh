#!/usr/bin/env bash
# Runs the parts of `make test` in the order given, each a make target, stops at the first that fails, and
# closes with the time each part took.
set -uo pipefail
cd "$(dirname "$0")/.."

report=()
failed=
for part in "$@"; do
  printf '\n=== %s\n' "$part"
  SECONDS=0
  if make --no-print-directory "$part"; then word=passed; else word=FAILED failed=$part; fi
  report+=("$(printf '%-10s %3d min %02d s  %s' "$part" $((SECONDS / 60)) $((SECONDS % 60)) "$word")")
  [ -z "$failed" ] || break
done

printf '\n=== the parts of make test\n'
printf '%s\n' "${report[@]}"
if [ -n "$failed" ]; then
  printf '\nmake test: the part "%s" failed (alone: make %s)\n' "$failed" "$failed"
  exit 1
fi
printf '\nmake test: every part passed\n'
