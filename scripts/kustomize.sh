#!/usr/bin/env bash
# Prints the path of kustomize, and builds it first if necessary, which needs Go.
set -euo pipefail
name=kustomize
. "$(dirname "$0")/install.sh"

version=5.7.1
binary="$cache/kustomize-$version/kustomize"
if [ ! -x "$binary" ]; then
    need go "Go is needed to get kustomize"
    make_work
    step "building version $version" env GOBIN="$work" go install "sigs.k8s.io/kustomize/kustomize/v5@v$version"
    mkdir -p "$(dirname "$binary")"
    mv -f "$work/kustomize" "$binary"
fi
echo "$binary"
