#!/usr/bin/env bash
# Prints TRACEGEN_JAEGER=<path>: Jaeger 2, which without a configuration is collector, memory storage and query service in
# one process. Builds it from its Go module first if necessary, which takes about eight minutes and needs Go. Its API is the
# real one; its web page is a placeholder, because the module does not contain the pages.
set -euo pipefail
name=jaeger
. "$(dirname "$0")/install.sh"

# Jaeger 2 is released in the module of Jaeger 1, under the number of the last release of Jaeger 1.
version=2.13.0
module_version=1.76.0
module=github.com/jaegertracing/jaeger
binary="$cache/jaeger-$version/jaeger"

if [ ! -x "$binary" ]; then
    need go "Go is needed to build Jaeger (https://go.dev/doc/install); tests that need one are left out"
    make_work
    cd "$work"
    # A module of our own uses Jaeger's requirements and sums, so that the build is the one that Jaeger was released with.
    scratch() {
        local source
        source=$(GOWORK=off go mod download -json "$module@v$module_version" | sed -n 's/^\t"Dir": "\(.*\)",$/\1/p')
        install -m 644 "$source/go.mod" "$source/go.sum" .
        go mod edit -module scratch -require "$module@v$module_version"
    }
    step "fetching Jaeger v$version" scratch
    step "building Jaeger v$version" env GOWORK=off CGO_ENABLED=0 \
        go build -mod=mod -buildvcs=false -trimpath -ldflags '-s -w' -o jaeger "$module/cmd/jaeger"
    mkdir -p "$(dirname "$binary")"
    mv -f jaeger "$binary"
fi
echo "TRACEGEN_JAEGER=$binary"
