#!/usr/bin/env bash
# Runs Python in an environment that holds exactly tests/interop/requirements.txt. The environment lives in the
# cache, named after a hash of that file, and is made the first time it is needed.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
wanted=$here/interop/requirements.txt

cache=${TELLTALE_CACHE:-$HOME/.cache/telltale}
base=$(command -v python3) || { echo "python.sh: no python3 on PATH; run 'make deps'" >&2; exit 1; }
hash=$( { cat "$wanted"; "$base" --version; } | sha256sum | cut -c1-12)
venv=$cache/python-$hash

if [ ! -e "$venv/ready" ]; then
  rm -rf "$venv"
  mkdir -p "$cache"
  "$base" -m venv "$venv" >&2
  "$venv/bin/pip" install --quiet --disable-pip-version-check -r "$wanted" >&2
  touch "$venv/ready"
fi
exec "$venv/bin/python" "$@"
