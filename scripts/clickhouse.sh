#!/usr/bin/env bash
# Prints, as an environment variable, the path of a python that can run scripts/clickhouse-server.py. Makes it first if
# necessary: a virtual environment with ClickHouse's engine (a download of 150 MB).
set -euo pipefail
name=clickhouse
. "$(dirname "$0")/install.sh"

version=26.9.0
place="$cache/clickhouse-$version"

if [ ! -x "$place/bin/python" ]; then
    need python3 "python3 is needed to run ClickHouse out of its wheel; tests that need one are left out"
    make_work
    step "making a virtual environment" python3 -m venv "$work/venv"
    step "fetching chdb-core $version" "$work/venv/bin/pip" install --no-deps "chdb-core==$version"
    # The virtual environment can be moved, because only its scripts contain its path, and its python does not.
    mv -T "$work/venv" "$place" 2>/dev/null || test -x "$place/bin/python"
fi
echo "TRACEGEN_CLICKHOUSE=$place/bin/python"
