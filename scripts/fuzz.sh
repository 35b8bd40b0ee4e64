#!/usr/bin/env bash
# Runs every fuzz target for an equal part of the given seconds (3,600 by default: ten minutes each) in 512 MiB of memory.
# Stops at the first crash, whose input is then in fuzz/artifacts. When it is fixed, the input is moved to fuzz/seeds, from
# where `cargo test` reads it, too. cargo-fuzz is installed if it is missing.
set -euo pipefail
cd "$(dirname "$0")/.."
# The sanitizer's flags are unstable; this variable makes the installed stable toolchain accept them.
export RUSTC_BOOTSTRAP=1

total=${1:-3600}
cargo fuzz --version >/dev/null 2>&1 || cargo install --locked cargo-fuzz
targets=$(cargo fuzz list)
count=$(wc -w <<<"$targets")
seconds=$((total / count))

for target in $targets; do
    echo "fuzz: $target for $seconds s" >&2
    # 25 s for one input count as a hang, and 512 MiB as a leak. Progress goes to a file, whose last lines are the figures.
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
