#!/usr/bin/env bash
# Starts a real ClickHouse with its data in target/clickhouse, runs the given command with the variables that lead there,
# and ends ClickHouse after the command. CLICKHOUSE_PORT (8123) and CLICKHOUSE_DATA change the port and the place of the
# data.
set -euo pipefail
cd "$(dirname "$0")/.."

port=${CLICKHOUSE_PORT:-8123}
data=${CLICKHOUSE_DATA:-target/clickhouse}
say() { echo "clickhouse: $*" >&2; }

found=$(scripts/clickhouse.sh)
mkdir -p "$data"
coproc SERVER { exec "${found#*=}" scripts/clickhouse-server.py --path "$data" --port "$port" --watch-stdin; }
server=$SERVER_PID
exec {stdin}>&"${SERVER[1]}" {stdout}<&"${SERVER[0]}"
if ! read -r -t 60 ready <&"$stdout"; then
    say "it does not come up on port $port; is the port in use? CLICKHOUSE_PORT=8124 takes another one"
    exit 3
fi
say "${ready/READY/listens on port}, its data is in $data"

# Ctrl-C is for the command, which drains; ClickHouse ends afterwards.
trap : INT TERM
status=0
DATABASE_TYPE=clickhouse DATABASE_HOST=localhost DATABASE_PORT=$port "$@" || status=$?
eval "exec $stdin>&- ${SERVER[1]:-$stdin}>&-" 2>/dev/null || true
wait "$server" 2>/dev/null || true
exit "$status"
