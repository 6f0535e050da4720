#!/usr/bin/env bash
# Makes telegraf.lp.gz anew: ten minutes of this machine's CPU, memory, disk and net, as Telegraf tells them to a file.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
telegraf=$("$here/../peers/telegraf.sh")
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

cat >"$dir/telegraf.conf" <<END
[agent]
  interval = "10s"
  flush_interval = "10s"
  precision = "1ns"
  hostname = "telegraf-host"
[[inputs.cpu]]
  percpu = true
  totalcpu = true
[[inputs.mem]]
  [inputs.mem.tags]
    place = "hall 2, row=3"
[[inputs.disk]]
  ignore_fs = ["tmpfs", "devtmpfs", "devfs", "iso9660", "overlay", "aufs", "squashfs"]
[[inputs.net]]
  interfaces = ["eth*", "lo"]
[[outputs.file]]
  files = ["$dir/telegraf.lp"]
  data_format = "influx"
END

# It writes what it has when it is told to end.
timeout --signal=TERM --preserve-status "${SECONDS_RECORDED:-600}" "$telegraf" --quiet --config "$dir/telegraf.conf"
gzip -9 -n -c "$dir/telegraf.lp" >"$here/telegraf.lp.gz"
printf '%s lines, %s bytes\n' "$(wc -l <"$dir/telegraf.lp")" "$(stat -c %s "$here/telegraf.lp.gz")"
