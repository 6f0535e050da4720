#!/usr/bin/env bash
# Builds Telegraf with the few plugins the interop tests use (all of them would be 360 MB and eight minutes),
# and prints the path of the binary. No work when it is already built.
. "$(dirname "$0")/lib.sh"

version=1.37.2
sum='h1:mYr0I/suEw9+UM4KrCFuYuzJuq/e99cINniIwqO6ykw='
plugins=(
  inputs.cpu inputs.mem inputs.disk inputs.net  # what the test sends: this machine's own values
  inputs.file parsers.influx                    # a recording of those, played again
  outputs.websocket                             # to the hub
  outputs.influxdb_v2                           # to the hub and to influxd, as line protocol
  outputs.file                                  # the same metrics, to compare with
  serializers.msgpack serializers.influx serializers.json
  processors.override                           # sets tags such as device_id
)

dir=$(peer_dir telegraf "$version")
if [ ! -x "$dir/telegraf" ]; then
  need_go 1.25.5 "Telegraf $version"
  source=$(go_module_source github.com/influxdata/telegraf "v$version" "$sum")
  mkdir -p "$dir"
  echo "building Telegraf $version (minutes the first time, then never again)" >&2
  tags=$(IFS=,; echo "custom,${plugins[*]}")
  part=$dir/telegraf.part.$$
  # -s -w: no symbols, a third of the size. The module's own go.sum checks every dependency.
  (cd "$source" && GOFLAGS=-mod=readonly GOSUMDB=off GOTOOLCHAIN=local CGO_ENABLED=0 \
    go build -trimpath -buildvcs=false -tags "$tags" -ldflags "-s -w -X github.com/influxdata/telegraf/internal.Version=$version" -o "$part" ./cmd/telegraf >&2) ||
    die "building Telegraf $version failed; the lines above say why"
  mv "$part" "$dir/telegraf"
fi
printf '%s\n' "$dir/telegraf"
