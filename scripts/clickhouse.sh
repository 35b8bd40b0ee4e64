#!/usr/bin/env bash
# Prints, as a variable for the environment, the path of a python that can run scripts/clickhouse-server.py, and makes it
# first where that has not been done: a virtual environment with ClickHouse's engine in it (150 MB to fetch). It is kept in
# ${XDG_CACHE_HOME:-~/.cache}/tracegen, under the version of the engine.
set -euo pipefail

version=26.9.0
say() { echo "clickhouse: $*" >&2; }

cache="${XDG_CACHE_HOME:-$HOME/.cache}/tracegen"
place="$cache/clickhouse-$version"

if [ ! -x "$place/bin/python" ]; then
    if ! command -v python3 >/dev/null; then
        say "python3 is needed to run ClickHouse out of its wheel; tests that need one are left out"
        exit 1
    fi
    mkdir -p "$cache"
    work=$(mktemp -d "$cache/building.XXXXXX")
    trap 'rm -rf "$work"' EXIT
    say "fetching chdb-core $version ..."
    if ! { python3 -m venv "$work/venv" && "$work/venv/bin/pip" install --no-deps "chdb-core==$version"; } \
        >"$work/log" 2>&1; then
        cat "$work/log" >&2
        say "failed: it needs python3 with venv, and the package index"
        exit 1
    fi
    # Built beside its final place and moved there in one step: two builds at once do no harm. Its python does not mind,
    # only its scripts, which name the place they were made in, would.
    mv -T "$work/venv" "$place" 2>/dev/null || test -x "$place/bin/python"
fi
echo "TRACEGEN_CLICKHOUSE=$place/bin/python"
