#!/usr/bin/env bash
# Checks the tools that `make run` and `make test` need. A missing or old one is named with the version needed
# and how to get it; as root on Debian those that Debian has are installed. Ends with 1 when one is still missing.
set -uo pipefail
cd "$(dirname "$0")/.."

rust=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
missing=()
packages=()

# version COMMAND...: the first version number in what the command prints; empty when it cannot run.
version() { "$@" 2>/dev/null | grep -oE '[0-9]+(\.[0-9]+)+' | head -n 1; }

at_least() { [ "$(printf '%s\n%s\n' "$1" "$2" | sort -V | head -n 1)" = "$1" ]; }

# need NAME MINIMUM HAVE DEBIAN_PACKAGES HOW: a tool is there, or Debian has it (packages named), or a person gets it.
need() {
  local name=$1 minimum=$2 have=$3 debian=$4 how=$5
  if [ -n "$have" ] && at_least "$minimum" "$have"; then
    printf '  %-10s %s\n' "$name" "$have"
  else
    missing+=("$name >= $minimum is needed, found ${have:-none}. $how")
    # Word splitting is meant: several packages for one tool.
    # shellcheck disable=SC2206
    packages+=($debian)
  fi
}

check() {
  missing=()
  packages=()
  need cargo "$rust" "$(version cargo --version)" '' 'Get Rust with rustup (rustup.rs), or: rustup update stable'
  need rustfmt 1.0 "$(version cargo fmt --version)" '' 'Get it with: rustup component add rustfmt'
  need clippy 0.1 "$(version cargo clippy --version)" '' 'Get it with: rustup component add clippy'
  need cc 4.0 "$(version cc -dumpfullversion)" 'gcc libc6-dev' 'Debian: apt-get install gcc libc6-dev'
  need node 20.19 "$(version node --version)" '' 'Get Node.js with npm from nodejs.org (Debian 12 has only 18)'
  need npm 9.0 "$(version npm --version)" '' 'It comes with Node.js from nodejs.org'
  need python3 3.11 "$(version python3 --version)" 'python3' 'Debian: apt-get install python3'
  need venv 3.11 "$(python3 -c 'import ensurepip, venv' 2>/dev/null && version python3 --version)" 'python3-venv' \
    'Debian: apt-get install python3-venv'
  need go 1.25.5 "$(GOTOOLCHAIN=local version go version)" '' 'Get Go from go.dev/dl; it builds Telegraf and influxd for the tests'
  need chromium 110.0 "$(version "${CHROMIUM:-/usr/bin/chromium}" --version --no-sandbox)" 'chromium fonts-liberation' \
    'Debian: apt-get install chromium; elsewhere set CHROMIUM to the path of a Chromium or Chrome'
}

check
if [ "${#packages[@]}" -gt 0 ] && [ "$(id -u)" = 0 ] && [ -e /etc/debian_version ]; then
  printf 'installing from Debian: %s\n' "${packages[*]}"
  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${packages[@]}"
  check
fi
if [ "${#missing[@]}" -gt 0 ]; then
  printf '%s\n' "${missing[@]}" >&2
  exit 1
fi
