#!/usr/bin/env bash
# Builds influxd, the server of InfluxDB 2, and prints the path of the binary. No work when it is already built.
#
# It is built as a dependency of a module of our own, with its go.mod and go.sum: `go install` refuses a module that has a
# `replace`. Its query engine, flux, is Rust: InfluxData's pkg-config stands in for the real one and runs cargo.
. "$(dirname "$0")/lib.sh"

version=2.7.12
sum='h1:m25dUSO7h6nm3zFC4v/aCNeFFmnN/mlN/uPo1T63bmk='
module=github.com/influxdata/influxdb/v2

dir=$(peer_dir influxd "$version")
if [ ! -x "$dir/influxd" ]; then
  need_go 1.23 "influxd $version"
  command -v cargo >/dev/null || die "cargo is needed to build influxd $version. Get Rust with rustup (rustup.rs), then run this again."
  source=$(go_module_source "$module" "v$version" "$sum")
  mkdir -p "$dir"
  echo "building influxd $version (minutes the first time, then never again)" >&2
  build=$(mktemp -d "$dir/build.XXXXXX")
  # Go writes its module cache read-only, and flux-core builds within it.
  trap 'chmod -R u+w "$build" && rm -rf "$build"' EXIT

  mkdir "$build/module" "$build/bin"
  sed "s|^module .*|module influxd.test/build|" "$source/go.mod" >"$build/module/go.mod"
  printf '\nrequire %s v%s\n' "$module" "$version" >>"$build/module/go.mod"
  cp "$source/go.sum" "$build/module/go.sum"
  # A module whose packages nobody imports is dropped by -mod=mod.
  printf 'package main\n\nimport _ "%s/cmd/influxd/launcher"\n\nfunc main() {}\n' "$module" >"$build/module/main.go"
  # flux pins a toolchain of its own and denies warnings; the one at hand builds it when they are let pass. flux-core is built
  # for the host as a build dependency, which RUSTFLAGS does not reach.
  printf '#!/bin/sh\nexec "$@" --cap-lints=allow\n' >"$build/bin/rustc-lenient"
  chmod +x "$build/bin/rustc-lenient"

  export GOFLAGS=-mod=mod GOSUMDB=off GOTOOLCHAIN=local
  (
    cd "$build/module"
    go build -o "$build/bin/pkg-config" github.com/influxdata/pkg-config >&2
    PKG_CONFIG=$build/bin/pkg-config RUSTC_WRAPPER=$build/bin/rustc-lenient \
      RUSTUP_TOOLCHAIN=${RUSTUP_TOOLCHAIN:-$(rustup show active-toolchain 2>/dev/null | cut -d' ' -f1)} \
      go build -trimpath -buildvcs=false -tags sqlite_foreign_keys,sqlite_json -ldflags "-s -w -X main.version=$version" -o "$build/influxd" "$module/cmd/influxd" >&2
  ) || die "building influxd $version failed; the lines above say why"
  mv "$build/influxd" "$dir/influxd"
fi
printf '%s\n' "$dir/influxd"
