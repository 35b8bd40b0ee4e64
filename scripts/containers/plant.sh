#!/usr/bin/env bash
# Tests that test-containers.sh finds faults: a fault is planted in one file at a time of a copy of the last commit, and the
# check must fail and name it. It takes some minutes once the images exist.
set -euo pipefail
root=$(realpath "$(dirname "$0")/../..")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# planted PART FILE COMMAND-OF-SED WORDS: with this change of a file, the check of that part must print these words.
planted() {
    rm -rf "$work/copy"
    git -c advice.detachedHead=false clone --quiet --shared "$root" "$work/copy"
    sed -i "$3" "$work/copy/$2"
    if git -C "$work/copy" diff --quiet; then echo "plant: $3 changes nothing in $2" >&2; exit 1; fi
    echo "plant: $2: $3" >&2
    if "$root/scripts/test-containers.sh" "$work/copy" "$1" 2>"$work/said"; then
        echo "plant: not found" >&2
        exit 1
    fi
    grep "wrong: .*$4" "$work/said" >&2 || { cat "$work/said" >&2; echo "plant: it should say: $4" >&2; exit 1; }
}

light=docker-compose/docker-compose.inmemory.yaml
full=docker-compose/docker-compose.yaml
collector=otel-collector/otel-collector-config.yaml

planted images Dockerfile '/^USER/d' 'Dockerfile: the user is root'
planted light $light 's/"127.0.0.1:\${SERVER_PORT/"${SERVER_PORT/' 'is published on every address'
planted light $light '/^    read_only: true/d' 'can write to its root'
planted light otel-collector/Dockerfile 's/127.0.0.1:13133/127.0.0.1:13134/' 'otel-collector is unhealthy'
planted stack $collector 's/exporters: \[clickhouse, otlp_grpc.jaeger\]/exporters: [clickhouse]/' 'whole in jaeger'
planted variables $full 's/TRACE_NUM_WORKERS:-4/TRACE_NUM_WORKER:-4/' 'TRACE_NUM_WORKERS=3 arrives'
