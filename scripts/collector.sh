#!/usr/bin/env bash
# Prints TRACEGEN_COLLECTOR=<path>: an OpenTelemetry Collector with the components in otel-collector/builder.yaml. Builds it
# first if necessary, which takes about three minutes and needs Go. It is kept under the hash of the manifest, so that a
# changed manifest leads to a new build.
set -euo pipefail
name=collector
. "$(dirname "$0")/install.sh"

manifest="$(cd "$(dirname "$0")/.." && pwd)/otel-collector/builder.yaml"
digest() { if command -v sha256sum >/dev/null; then sha256sum; else shasum -a 256; fi; }
hash=$(digest <"$manifest" | cut -c1-16)
binary="$cache/collector-$hash/otelcol-tracegen"

if [ ! -x "$binary" ]; then
    need go "Go is needed to build the collector (https://go.dev/doc/install); tests that need one are left out"
    version=$(sed -n 's/^  version: *//p' "$manifest")
    make_work
    cp "$manifest" "$work/builder.yaml"
    cd "$work"
    step "installing the collector builder v$version" \
        env GOBIN="$work/bin" go install "go.opentelemetry.io/collector/cmd/builder@v$version"
    step "building the collector v$version" \
        env CGO_ENABLED=0 GOFLAGS=-buildvcs=false bin/builder --config builder.yaml
    mkdir -p "$(dirname "$binary")"
    mv -f build/otelcol-tracegen "$binary"
fi
echo "TRACEGEN_COLLECTOR=$binary"
