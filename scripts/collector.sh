#!/usr/bin/env bash
# Prints TRACEGEN_COLLECTOR=<path>: an OpenTelemetry Collector made of the parts in otel-collector/builder.yaml, and builds it first
# where that has not been done: about three minutes, and Go is needed. The binary is kept in
# ${XDG_CACHE_HOME:-~/.cache}/tracegen, under the hash of the manifest, so that a changed manifest makes a new one.
set -euo pipefail

manifest="$(cd "$(dirname "$0")/.." && pwd)/otel-collector/builder.yaml"
say() { echo "collector: $*" >&2; }
digest() { if command -v sha256sum >/dev/null; then sha256sum; else shasum -a 256; fi; }

hash=$(digest <"$manifest" | cut -c1-16)
cache="${XDG_CACHE_HOME:-$HOME/.cache}/tracegen"
binary="$cache/collector-$hash/otelcol-tracegen"

if [ ! -x "$binary" ]; then
    if ! command -v go >/dev/null; then
        say "Go is needed to build the collector (https://go.dev/doc/install); tests that need one are left out"
        exit 1
    fi
    version=$(sed -n 's/^  version: *//p' "$manifest")
    mkdir -p "$cache"
    # Built beside its final place and moved there in one step: two builds at once do no harm.
    work=$(mktemp -d "$cache/building.XXXXXX")
    trap 'rm -rf "$work"' EXIT
    cp "$manifest" "$work/builder.yaml"
    cd "$work"

    step() {
        local started=$SECONDS
        say "$1 ..."
        shift
        if ! "$@" >log 2>&1; then
            cat log >&2
            say "failed: $*"
            exit 1
        fi
        say "  done in $((SECONDS - started)) s"
    }
    step "installing the collector builder v$version" \
        env GOBIN="$work/bin" go install "go.opentelemetry.io/collector/cmd/builder@v$version"
    step "building the collector v$version" \
        env CGO_ENABLED=0 GOFLAGS=-buildvcs=false bin/builder --config builder.yaml

    mkdir -p "$(dirname "$binary")"
    mv -f build/otelcol-tracegen "$binary"
fi
echo "TRACEGEN_COLLECTOR=$binary"
