#!/usr/bin/env bash
# Runs tests/interop. Viewers whose network vanished take a minute and a half of waiting and next to no processor, so that test runs
# beside the others and says at the end how it went. With arguments, which are pytest's, all that they choose runs in a row.
set -uo pipefail
cd "$(dirname "$0")/.."
waits=tests/interop/test_vanished.py

[ $# -eq 0 ] || exec tests/python.sh -m pytest tests/interop "$@"

# Made first if it is not there yet: two at once would make it twice.
tests/python.sh -c ''
said=$(mktemp)
# A group of its own: Ctrl-C reaches it by the trap, after which its hub is stopped too.
set -m
tests/python.sh -m pytest "$waits" >"$said" 2>&1 &
beside=$!
set +m
trap 'kill -INT -- "-$beside" 2>/dev/null && wait "$beside"; rm -f "$said"' EXIT

tests/python.sh -m pytest tests/interop --ignore="$waits"
others=$?
[ "$others" -ne 2 ] || exit 2 # interrupted
wait "$beside"
vanished=$?
cat "$said"
[ "$others" -eq 0 ] && [ "$vanished" -eq 0 ]
