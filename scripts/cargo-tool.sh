#!/usr/bin/env bash
# Prints the path of a tool that cargo installs, and installs it first where that has not been done: its version is pinned
# here, and it is kept in ${XDG_CACHE_HOME:-~/.cache}/tracegen. `cargo-tool.sh cargo-deny`
set -euo pipefail

case "$1" in
cargo-deny) version=0.20.2 ;;
cargo-cyclonedx) version=0.5.9 ;;
*)
    echo "cargo-tool: no version of $1 is pinned" >&2
    exit 2
    ;;
esac

root="${XDG_CACHE_HOME:-$HOME/.cache}/tracegen/$1-$version"
if [ ! -x "$root/bin/$1" ]; then
    echo "$1: installing version $version, once ..." >&2
    began=$SECONDS
    # Built beside its final place and moved there in one step: what was interrupted leaves nothing that looks whole.
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    if ! cargo install --quiet --locked --root "$work" --target-dir "$work/target" "$1@$version" >"$work/log" 2>&1; then
        cat "$work/log" >&2
        exit 1
    fi
    mkdir -p "$root/bin"
    mv -f "$work/bin/$1" "$root/bin/$1"
    echo "$1:   done in $((SECONDS - began)) s" >&2
fi
echo "$root/bin/$1"
