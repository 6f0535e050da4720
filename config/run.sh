#!/usr/bin/env bash
# `make run`: builds everything, then starts a hub, an agent that reports this host and a simulated gateway, and says
# which address to open. Ctrl-C stops all three. A second start goes on with the same data.
#
# Taken from the environment: LISTEN (the hub's address), DATA_DIR, DEVICES (how many the gateway simulates), CARGO_TARGET_DIR as
# cargo knows it, and every TELLTALE_... variable that the hub and the agents know.
set -euo pipefail
cd "$(dirname "$0")/.."

listen=${LISTEN:-127.0.0.1:8080}
data=${DATA_DIR:-./telltale-data}
devices=${DEVICES:-20}
own=$data/make-run # logs, tokens and spools of this script; the hub leaves files that are not its own alone
programs=${CARGO_TARGET_DIR:-target}/release
hub=$programs/telltale
agent=$programs/telltale-agent
pids=()

build() {
  if command -v npm >/dev/null; then
    make --no-print-directory dashboards/dist/index.html
  else
    echo "no npm here: the hub is built without the dashboards and says so in the browser (Node.js >= 20.19 builds them)"
  fi
  cargo build --release --locked --workspace --bins
}

start() {
  local name=$1
  shift
  : >"$own/$name.out" # there before anyone looks into it
  "$@" >"$own/$name.out" 2>"$own/$name.log" &
  pids+=($!)
}

# token_file NAME: the file with this agent's token, made the first time.
token_file() {
  local file=$own/$1.token
  if [ ! -s "$file" ]; then
    (umask 077 && "$hub" token create --role agent --name "$1" --data-dir "$data" >"$file.part" && mv "$file.part" "$file")
  fi
  printf '%s\n' "$file"
}

# Agents first, so that what they hold still reaches the hub.
stop() {
  trap - EXIT INT TERM
  local pid
  for ((i = ${#pids[@]} - 1; i >= 0; i--)); do
    pid=${pids[i]}
    kill "$pid" 2>/dev/null || true
    wait "$pid" 2>/dev/null || true
  done
}

give_up() {
  printf 'make run: %s; its last lines:\n' "$1" >&2
  tail -n 5 "$own/$2.log" >&2
  exit 1
}

build
mkdir -p "$own"
trap stop EXIT
trap 'echo; echo stopping; exit 0' INT TERM

start hub "$hub" serve --listen "$listen" --data-dir "$data"
until address=$(sed -n 's/^listening on //p' "$own/hub.out") && [ -n "$address" ]; do
  kill -0 "${pids[0]}" 2>/dev/null || give_up 'the hub did not start' hub
  sleep 0.1
done

url=${address/#http/ws} # https becomes wss
host_token=$(token_file this-host)
gateway_token=$(token_file simulated-gateway)
start this-host "$agent" run --url "$url" --token-file "$host_token" --spool "$own/spool-host"
start simulated-gateway "$agent" simulate --url "$url" --token-file "$gateway_token" --spool "$own/spool-gateway" \
  --agent-id simulated-gateway --devices "$devices"
link=$("$hub" login --data-dir "$data")

cat <<TEXT

Telltale is running: this host and $devices simulated devices report each second.
Open:      $link
           (works once, for 15 minutes; another: $hub login --data-dir $data)
Data:      $data
Logs:      $own/*.log
Stop:      Ctrl-C
TEXT

if wait -n "${pids[@]}"; then code=0; else code=$?; fi
names=(hub this-host simulated-gateway)
for i in "${!names[@]}"; do
  kill -0 "${pids[i]}" 2>/dev/null || give_up "${names[i]} ended with code $code" "${names[i]}"
done
