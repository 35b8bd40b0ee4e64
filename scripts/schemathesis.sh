#!/usr/bin/env bash
# Prints the path of schemathesis as a variable for the environment; it tries an API against its OpenAPI document, and installs it first where that has not
# been done: Python 3.10 or newer is needed. Kept in ${XDG_CACHE_HOME:-~/.cache}/tracegen, under its version.
set -euo pipefail

version=4.32.5
say() { echo "schemathesis: $*" >&2; }

cache="${XDG_CACHE_HOME:-$HOME/.cache}/tracegen"
folder="$cache/schemathesis-$version"
binary="$folder/bin/schemathesis"

if [ ! -x "$binary" ]; then
    if ! command -v python3 >/dev/null; then
        say "python3 is needed; the API is not tried against its description"
        exit 1
    fi
    say "installing schemathesis $version ..."
    mkdir -p "$cache"
    # A virtual environment knows its own path and can't be moved: one at a time makes it, and a half-made one is made again.
    exec 9>"$folder.lock"
    if command -v flock >/dev/null; then flock 9; fi
    if [ ! -x "$binary" ]; then
        log=$(mktemp)
        trap 'rm -f "$log"' EXIT
        rm -rf "$folder"
        if ! { python3 -m venv "$folder" && "$folder/bin/pip" install --quiet "schemathesis==$version"; } >"$log" 2>&1; then
            cat "$log" >&2
            rm -rf "$folder"
            exit 1
        fi
    fi
fi
echo "TRACEGEN_SCHEMATHESIS=$binary"
