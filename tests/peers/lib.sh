# shellcheck shell=bash
# What the recipes of this folder share: where a built peer is kept, which Go is new enough, and how a Go
# module's source is had. A recipe is one file NAME.sh that sources this one, builds one real program, and
# prints the path of the binary, alone, on stdout. Everything else goes to stderr.
#
# Invariants:
# - A finished peer is never built again: its folder is named after the version and a hash of the recipe
#   (and of this file), so a changed recipe builds anew and an old cache does no harm.
# - The binary is moved into place as the last step: an interrupted build leaves nothing that looks finished.
# - The source is checked: a module's sum stands in its recipe, its dependencies' sums in its own go.sum.

set -euo pipefail

die() {
  printf '%s: %s\n' "$(basename "$0")" "$1" >&2
  exit 1
}

# cache_dir: where built peers and the Python environment live; shared by all work trees of one user.
cache_dir() {
  printf '%s\n' "${TELLTALE_CACHE:-$HOME/.cache/telltale}"
}

# peer_dir NAME VERSION: the folder of this recipe's result.
peer_dir() {
  local hash
  hash=$(cat "$0" "${BASH_SOURCE[0]}" | sha256sum | cut -c1-12)
  printf '%s/%s-%s-%s\n' "$(cache_dir)" "$1" "$2" "$hash"
}

# need_go MINIMUM WHAT: ends with a sentence when Go is missing or too old.
need_go() {
  local minimum=$1 what=$2 have
  command -v go >/dev/null ||
    die "Go >= $minimum is needed to build $what, and there is no 'go' on PATH. Get it from https://go.dev/dl/ (unpack it and add its bin folder to PATH), then run this again."
  have=$(GOTOOLCHAIN=local go env GOVERSION)
  have=${have#go}
  [ "$(printf '%s\n%s\n' "$minimum" "$have" | sort -V | head -n 1)" = "$minimum" ] ||
    die "Go >= $minimum is needed to build $what, and this is Go $have. Get a newer one from https://go.dev/dl/, then run this again."
}

# go_module_source MODULE VERSION SUM: downloads one module, compares its sum, prints the folder of its source.
# The checksum database lacks some of these modules, so it is off; the sum given here takes its place.
go_module_source() {
  local module=$1 version=$2 sum=$3 answer have
  answer=$(GOFLAGS='' GOSUMDB=off GOTOOLCHAIN=local go mod download -json "$module@$version") ||
    die "cannot download the Go module $module@$version: $answer"
  have=$(sed -n 's/.*"Sum": "\(.*\)".*/\1/p' <<<"$answer")
  [ "$have" = "$sum" ] || die "$module@$version has the sum $have, expected $sum"
  sed -n 's/.*"Dir": "\(.*\)".*/\1/p' <<<"$answer"
}
