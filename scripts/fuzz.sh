#!/usr/bin/env bash
# Runs every fuzz target for an equal part of the given seconds (3,600 by default: ten minutes each) in 512 MiB of memory, and stops
# at the first crash, whose input is then in fuzz/artifacts: once it is mended, it goes to fuzz/seeds, where `cargo test` reads it,
# too. cargo-fuzz is installed if it is missing.
set -euo pipefail
cd "$(dirname "$0")/.."
# The sanitizer's flags are unstable; this lets the installed stable toolchain take them.
export RUSTC_BOOTSTRAP=1

total=${1:-3600}
cargo fuzz --version >/dev/null 2>&1 || cargo install --locked cargo-fuzz
targets=$(cargo fuzz list)
count=$(wc -w <<<"$targets")
seconds=$((total / count))

for target in $targets; do
    echo "fuzz: $target for $seconds s" >&2
    # 25 s for one input is a hang, 512 MiB a leak. Progress goes to a file; its last lines are the figures.
    log=$(mktemp)
    mkdir -p "fuzz/corpus/$target"
    if ! cargo fuzz run "$target" "fuzz/corpus/$target" "fuzz/seeds/$target" -- -max_total_time="$seconds" -timeout=25 -rss_limit_mb=512 \
        -print_final_stats=1 >"$log" 2>&1; then
        tail -n 60 "$log" >&2
        rm -f "$log"
        echo "fuzz: $target failed; the input is in fuzz/artifacts/$target" >&2
        exit 1
    fi
    grep -E '^(Done|stat::)' "$log" >&2 || true
    rm -f "$log"
done
