#!/usr/bin/env bash
# Opens an SQL prompt on the stack's ClickHouse: its own client in its container if that runs, otherwise one over HTTP.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/compose.sh

find_compose
compose+=(--project-name tracegen --file docker-compose/docker-compose.yaml)
if [ -z "$missing" ] && [ -n "$("${compose[@]}" ps --quiet clickhouse 2>/dev/null)" ]; then
    exec "${compose[@]}" exec clickhouse clickhouse-client --user "${DATABASE_USER:-default}" \
        --password "${DATABASE_PASSWORD:-}" --database "${DATABASE_NAME:-otel}"
fi
exec python3 scripts/clickhouse-shell.py
