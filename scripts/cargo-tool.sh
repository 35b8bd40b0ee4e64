#!/usr/bin/env bash
# Prints the path of a tool that cargo installs, and installs it first if necessary, in a version that is pinned here:
# `cargo-tool.sh cargo-deny`
set -euo pipefail
name=$1
. "$(dirname "$0")/install.sh"

case "$name" in
cargo-deny) version=0.20.2 ;;
cargo-cyclonedx) version=0.5.9 ;;
*)
    say "no version of it is pinned"
    exit 2
    ;;
esac

binary="$cache/$name-$version/bin/$name"
if [ ! -x "$binary" ]; then
    make_work
    step "installing version $version, once" \
        cargo install --quiet --locked --root "$work" --target-dir "$work/target" "$name@$version"
    mkdir -p "$(dirname "$binary")"
    mv -f "$work/bin/$name" "$binary"
fi
echo "$binary"
