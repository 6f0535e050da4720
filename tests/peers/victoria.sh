#!/usr/bin/env bash
# Fetches VictoriaMetrics as Debian packages it, for the store benchmark, and prints the path of the binary.
# Nothing is installed: the package is unpacked beside the other peers. No work when it is there already.
. "$(dirname "$0")/lib.sh"

version='1.79.5+ds1-2+b5'
sum=bb437c10c5aa7c6a293acbb93828bd726dded618aa4bf3f4b45bef24c6d2f6f0

dir=$(peer_dir victoria-metrics "$version")
if [ ! -x "$dir/victoria-metrics" ]; then
  command -v apt-get >/dev/null && command -v dpkg >/dev/null ||
    die "VictoriaMetrics is taken from a Debian package, and there is no apt-get and dpkg here. Name a binary in TELLTALE_VICTORIA instead."
  [ "$(dpkg --print-architecture)" = amd64 ] || die "the sum in this recipe is that of the amd64 package"
  mkdir -p "$dir"
  part=$(mktemp -d "$dir/part.XXXXXX")
  trap 'rm -rf "$part"' EXIT
  (cd "$part" && apt-get download "victoria-metrics=$version" >&2) ||
    die "apt-get download victoria-metrics=$version failed; the lines above say why (perhaps 'apt-get update' is due)"
  sha256sum --check --status <<<"$sum  $(echo "$part"/*.deb)" || die "the package has another sum than $sum"
  dpkg -x "$part"/*.deb "$part/files"
  mv "$part/files/usr/bin/victoria-metrics" "$dir/victoria-metrics"
fi
printf '%s\n' "$dir/victoria-metrics"
