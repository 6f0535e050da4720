#!/usr/bin/env bash
# `make bench-store`: on what it is measured, then the scenarios of the store that are named. TELLTALE_VICTORIA names a binary to
# compare with in place of the packaged one; empty: without.
set -euo pipefail
cd "$(dirname "$0")/../.."

if [ -z "${TELLTALE_VICTORIA+set}" ]; then
  # Without it the hub is measured all the same.
  TELLTALE_VICTORIA=$(tests/peers/victoria.sh) || unset TELLTALE_VICTORIA
fi
[ -z "${TELLTALE_VICTORIA:-}" ] || export TELLTALE_VICTORIA

printf '%s, %s\n' "$(date -u +%Y-%m-%d)" "$(uname -sr)"
printf '%s x %s, %s MiB of memory, load %s before\n' "$(nproc)" "$(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -n 1)" \
  "$(awk '/MemTotal/ { print int($2 / 1024) }' /proc/meminfo)" "$(cut -d ' ' -f 1 /proc/loadavg)"
printf 'temporary files on %s\n' "$(df --output=fstype,source "${TMPDIR:-/tmp}" | tail -n 1 | tr -s ' ')"
printf 'telltale %s (%s), %s, beside: %s\n' "$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)" \
  "$(git describe --always --dirty 2>/dev/null || echo 'no git')" "$(rustc --version | cut -d ' ' -f 1-2)" \
  "$([ -n "${TELLTALE_VICTORIA:-}" ] && basename "$(dirname "$TELLTALE_VICTORIA")" || echo none)"
exec "${CARGO:-cargo}" bench --bench bench --locked -- "$@"
