#!/usr/bin/env bash
# Prints what the browser tests need, as variables for the environment: a ChromeDriver with its Chromium, and axe-core, which
# looks for what keeps people from using a page. Installs what is missing: Chromium from the system's packages where this may
# install some (Debian and its kin, as root), axe-core into ${XDG_CACHE_HOME:-~/.cache}/tracegen.
set -euo pipefail

axe_version=4.14.1
say() { echo "browser: $*" >&2; }

if ! command -v chromedriver >/dev/null; then
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        say "installing chromium and chromium-driver ..."
        log=$(mktemp)
        trap 'rm -f "$log"' EXIT
        if ! { apt-get update && apt-get install -y chromium chromium-driver; } >"$log" 2>&1; then
            cat "$log" >&2
            exit 1
        fi
    else
        say "chromedriver is needed (Debian: chromium and chromium-driver); tests in a browser are left out"
        exit 1
    fi
fi

axe="${XDG_CACHE_HOME:-$HOME/.cache}/tracegen/axe-core-$axe_version/axe.min.js"
if [ ! -f "$axe" ]; then
    if ! command -v npm >/dev/null; then
        say "npm is needed to get axe-core; tests in a browser are left out"
        exit 1
    fi
    say "getting axe-core $axe_version ..."
    mkdir -p "$(dirname "$(dirname "$axe")")"
    # Unpacked beside its final place and moved there in one step: two at once do no harm.
    work=$(mktemp -d "$(dirname "$(dirname "$axe")")/axe.XXXXXX")
    trap 'rm -rf "$work"' EXIT
    (cd "$work" && npm pack --silent "axe-core@$axe_version" >/dev/null && tar -xzf axe-core-*.tgz)
    mkdir -p "$(dirname "$axe")"
    mv -f "$work/package/axe.min.js" "$axe"
fi
echo "TRACEGEN_CHROMEDRIVER=$(command -v chromedriver) TRACEGEN_AXE=$axe"
