#!/usr/bin/env bash
# Prints what the browser tests need, as environment variables: a ChromeDriver with its Chromium, and axe-core, which checks
# accessibility. Installs what is missing: Chromium from the system's packages, if this user may install them (on Debian and
# its derivatives, as root).
set -euo pipefail
name=browser
. "$(dirname "$0")/install.sh"

if ! command -v chromedriver >/dev/null; then
    if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
        say "chromedriver is needed (Debian: chromium and chromium-driver); tests in a browser are left out"
        exit 1
    fi
    make_work
    step "reading the lists of packages" apt-get update
    step "installing chromium and chromium-driver" apt-get install -y chromium chromium-driver
fi

version=4.14.1
axe="$cache/axe-core-$version/axe.min.js"
if [ ! -f "$axe" ]; then
    need npm "npm is needed to get axe-core; tests in a browser are left out"
    make_work
    cd "$work"
    step "getting axe-core $version" npm pack --silent "axe-core@$version"
    step "unpacking it" tar -xzf "axe-core-$version.tgz"
    mkdir -p "$(dirname "$axe")"
    mv -f package/axe.min.js "$axe"
fi
echo "TRACEGEN_CHROMEDRIVER=$(command -v chromedriver) TRACEGEN_AXE=$axe"
