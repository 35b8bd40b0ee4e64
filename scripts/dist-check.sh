#!/usr/bin/env bash
# Checks that a binary needs no other files: it is run in a root that contains only itself and a directory of scenarios:
# `dist-check.sh BINARY`
set -euo pipefail
binary=$(realpath "$1")
cd "$(dirname "$0")/.."
say() { echo "dist: $*" >&2; }

if ldd "$binary" 2>/dev/null | grep -q '=>'; then
    say "$binary needs shared libraries:"
    ldd "$binary" >&2
    exit 1
fi

root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
cp "$binary" "$root/tracegen"
cp -R scenarios "$root/mine"
if [ "$(id -u)" = 0 ]; then
    inside() { chroot "$root" "$@"; }
elif unshare --map-root-user true 2>/dev/null; then
    inside() { unshare --map-root-user chroot "$root" "$@"; }
else
    say "no empty root can be had here (neither root nor user namespaces): only the linkage was checked"
    exit 0
fi

inside /tracegen --version >&2
inside /tracegen compile --check /mine
spans=$(inside /tracegen run --quiet --seed 1 --count 10 --exporter file=- | grep -o '"spanId"' | wc -l)
[ "$spans" -gt 10 ] || { say "10 traces have $spans spans"; exit 1; }
# Host names are read from /etc/hosts, which does not exist here; that must lead to a message and not to a crash.
status=0
inside /tracegen run --quiet --seed 1 --count 1 --wait 0s --endpoint http://collector.invalid:4317 2>"$root/said" || status=$?
[ "$status" = 1 ] || { say "an unknown name ends with status $status:"; cat "$root/said" >&2; exit 1; }

# The fastest of ten runs counts, because others may use the machine.
best=1000000
for _ in 1 2 3 4 5 6 7 8 9 10; do
    begun=$(date +%s%N)
    inside /tracegen --version >/dev/null
    took=$((($(date +%s%N) - begun) / 1000))
    [ "$took" -ge "$best" ] || best=$took
done
say "runs in an empty root; starts and ends in $((best / 1000)).$((best % 1000 / 100)) ms"
[ "$best" -lt 50000 ] || { say "that is too slow: it should take under 50 ms"; exit 1; }
