#!/usr/bin/env bash
# Prints, as an environment variable, the path of schemathesis, which tests an API against its OpenAPI document. Installs it
# first if necessary, which needs Python 3.10 or newer.
set -euo pipefail
name=schemathesis
. "$(dirname "$0")/install.sh"

version=4.32.5
folder="$cache/schemathesis-$version"
binary="$folder/bin/schemathesis"

if [ ! -x "$binary" ]; then
    need python3 "python3 is needed; the API is not tried against its description"
    make_work
    # A virtual environment contains its own path and can't be moved. So only one process makes it at a time, and an
    # incomplete one is made again.
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
