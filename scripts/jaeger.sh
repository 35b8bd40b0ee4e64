#!/usr/bin/env bash
# Prints TRACEGEN_JAEGER=<path>: Jaeger's all-in-one (collector, memory and query in one process), and builds it from its Go module
# first where that has not been done: about three minutes, and Go is needed. Its API is the real one; its web page is a
# placeholder, for the pages are not in the module. The binary is kept in ${XDG_CACHE_HOME:-~/.cache}/tracegen, under the version.
set -euo pipefail

version=1.76.0
module=github.com/jaegertracing/jaeger
say() { echo "jaeger: $*" >&2; }

cache="${XDG_CACHE_HOME:-$HOME/.cache}/tracegen"
binary="$cache/jaeger-$version/jaeger-all-in-one"

if [ ! -x "$binary" ]; then
    if ! command -v go >/dev/null; then
        say "Go is needed to build Jaeger (https://go.dev/doc/install); tests that need one are left out"
        exit 1
    fi
    mkdir -p "$cache"
    # Built beside its final place and moved there in one step: two builds at once do no harm.
    work=$(mktemp -d "$cache/building.XXXXXX")
    trap 'rm -rf "$work"' EXIT
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
    # A module of our own with Jaeger's requirements and sums, so that what is built is what Jaeger was released with.
    scratch() {
        local source
        source=$(GOWORK=off go mod download -json "$module@v$version" | sed -n 's/^\t"Dir": "\(.*\)",$/\1/p')
        install -m 644 "$source/go.mod" "$source/go.sum" .
        go mod edit -module scratch -require "$module@v$version"
    }
    step "fetching Jaeger v$version" scratch
    step "building Jaeger v$version" env GOWORK=off CGO_ENABLED=0 \
        go build -mod=mod -buildvcs=false -trimpath -ldflags '-s -w' -o jaeger "$module/cmd/all-in-one"

    mkdir -p "$(dirname "$binary")"
    mv -f jaeger "$binary"
fi
echo "TRACEGEN_JAEGER=$binary"
