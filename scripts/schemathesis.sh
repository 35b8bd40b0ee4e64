#!/usr/bin/env bash
# Prints the path of schemathesis as a variable for the environment; it tries an API against its OpenAPI document. Installs it
# first where that has not been done: Python 3.10 or newer is needed.
set -euo pipefail
name=schemathesis
. "$(dirname "$0")/install.sh"

version=4.32.5
folder="$cache/schemathesis-$version"
binary="$folder/bin/schemathesis"

if [ ! -x "$binary" ]; then
    need python3 "python3 is needed; the API is not tried against its description"
    make_work
    # A virtual environment knows its own path and can't be moved: one at a time makes it, and a half-made one is made again.
    exec 9>"$folder.lock"
    if command -v flock >/dev/null; then flock 9; fi
    if [ ! -x "$binary" ]; then
        rm -rf "$folder"
        trap 'rm -rf "$work" "$folder"' EXIT
        step "making a virtual environment" python3 -m venv "$folder"
        step "installing schemathesis $version" "$folder/bin/pip" install --quiet "schemathesis==$version"
        trap 'rm -rf "$work"' EXIT
    fi
fi
echo "TRACEGEN_SCHEMATHESIS=$binary"
