#!/usr/bin/env bash
# Sends traces of about six spans to one collector at full speed, in turns with tracegen, telemetrygen and the OpenTelemetry
# SDK. Prints a Markdown table with what each client reported, what the collector counted, and the cost. It needs Go, Rust,
# curl and ps. Telemetrygen is kept in the same folder as scripts/collector.sh keeps the collector.
#
# DURATION (10) is the seconds of a turn, ROUNDS (3) the turns of each, PORT (24317) the first of three free ports.
set -euo pipefail
cd "$(dirname "$0")/.."
name=bench-peers
. scripts/install.sh
export LC_ALL=C

duration=${DURATION:-10}
rounds=${ROUNDS:-3}
port=${PORT:-24317}
version=v0.161.0
module=github.com/open-telemetry/opentelemetry-collector-contrib/cmd/telemetrygen
scenario=scenarios/examples/ecommerce_order.yaml

for tool in go cargo curl ps; do
    need $tool "$tool is needed"
done
collector=$(scripts/collector.sh)
collector=${collector#*=}
telemetrygen="$cache/telemetrygen-$version/telemetrygen"
make_work
collector_pid='' watcher=''
trap 'kill $collector_pid $watcher 2>/dev/null || true; rm -rf "$work"' EXIT

if [ ! -x "$telemetrygen" ]; then
    step "installing telemetrygen $version" env GOBIN="$work" go install "$module@$version"
    mkdir -p "$cache/telemetrygen-$version"
    mv -f "$work/telemetrygen" "$telemetrygen"
fi
say "building tracegen ..."
cargo build --profile dist --locked --quiet --bin tracegen --example sdk_export
tracegen=target/dist/tracegen
sdk=target/dist/examples/sdk_export

grpc=127.0.0.1:$port http=127.0.0.1:$((port + 1)) metrics=$((port + 2))
cat >"$work/config.yaml" <<END
receivers: {otlp: {protocols: {grpc: {endpoint: '$grpc'}, http: {endpoint: '$http'}}}}
exporters: {nop: {}}
service:
  telemetry:
    logs: {level: error}
    metrics: {readers: [{pull: {exporter: {prometheus: {host: 127.0.0.1, port: $metrics}}}}]}
  pipelines: {traces: {receivers: [otlp], exporters: [nop]}}
END
"$collector" --config "$work/config.yaml" >"$work/collector.log" 2>&1 &
collector_pid=$!

# Prints the number of spans that the collector has accepted so far, and its CPU seconds.
collected() {
    curl -sf "http://127.0.0.1:$metrics/metrics" | awk '
        /^otelcol_receiver_accepted_spans(_total)?[{ ]/ { spans += $NF }
        /^otelcol_process_cpu_seconds(_total)?[{ ]/ { cpu = $NF }
        END { printf "%.0f %.2f\n", spans, cpu }'
}
# Prints the same when the number no longer changes.
settled() {
    local now before=
    until now=$(collected) && [ "${now% *}" = "$before" ]; do
        kill -0 $collector_pid 2>/dev/null || { cat "$work/collector.log" >&2; exit 1; }
        before=${now% *}
        sleep 0.5
    done
    echo "$now"
}
# Prints the maximum memory, in KiB, that was seen of the process named in $work/pid.
watch_memory() {
    local most=0 now
    while sleep 0.2; do
        now=$(ps -o rss= -p "$(cat "$work/pid")" 2>/dev/null || echo 0)
        if [ "$now" -gt "$most" ]; then echo "$now" >"$work/memory"; most=$now; fi
    done
}

# Each function extracts the number of spans that a client reports as sent, from its output.
said_telemetrygen() { awk -F '"traces": ' '/traces generated/ { n += $2 * 6 } END { printf "%.0f\n", n }' "$work/out"; }
said_tracegen() { awk -F '[:,]' '/"generated"/ { on = 1 } on && /"spans"/ { print $2 + 0; exit }' "$work/out"; }
said_sdk() { cat "$work/out"; }

# Runs a command, and writes its figures in a line: title, reported spans, seconds, user and system CPU seconds, KiB, then
# the collector's spans and CPU seconds before and after.
measure() {
    local title=$1 said=$2 before after TIMEFORMAT='%R %U %S'
    shift 2
    say "$title ..."
    before=$(settled)
    echo 0 | tee "$work/pid" >"$work/memory"
    watch_memory &
    watcher=$!
    if ! { time bash -c 'echo $$ >"$0"; exec "$@"' "$work/pid" "$@" >"$work/out" 2>&1; } 2>"$work/time"; then
        tail -n 20 "$work/out" >&2
        say "failed: $*"
        exit 1
    fi
    kill $watcher && wait $watcher 2>/dev/null || true
    watcher=''
    after=$(settled)
    echo "$title|$($said) $(cat "$work/time" "$work/memory" | tr '\n' ' ') $before $after" >>"$work/results"
}

ours() {
    measure "tracegen, $1" said_tracegen "$tracegen" run $scenario --seed 42 --rate max --duration "${duration}s" --summary json "${@:2}"
}
# The queue is that of the SDK's batch processor.
telemetrygen() {
    measure "telemetrygen, $1" said_telemetrygen env "OTEL_BSP_MAX_QUEUE_SIZE=$2" "$telemetrygen" traces --otlp-insecure \
        --otlp-endpoint "$grpc" --child-spans 5 --rate 0 --duration "${duration}s" "${@:3}"
}

for ((round = 1; round <= rounds; round++)); do
    say "round $round of $rounds, $duration s each"
    ours "gRPC" --protocol grpc --endpoint "http://$grpc"
    telemetrygen "1 worker" 2048 --workers 1
    ours "HTTP" --protocol http/protobuf --endpoint "http://$http"
    telemetrygen "4 workers" 2048 --workers 4
    ours "null sink" --exporter none
    telemetrygen "1 worker, 8,192 a batch, queue 65,536" 65536 --workers 1 --batch-size 8192
    measure "SDK exporter, 512 a request" said_sdk "$sdk" "http://$grpc" "$duration"
    measure "SDK exporter, 8,192 a request" said_sdk "$sdk" "http://$grpc" "$duration" 8192
done

# Sums the figures over the rounds, and takes the maximum of the memory.
awk -F '|' '
    function grouped(n,   s, out) {
        s = sprintf("%.0f", n)
        while (length(s) > 3) { out = "," substr(s, length(s) - 2) out; s = substr(s, 1, length(s) - 3) }
        return s out
    }
    !($1 in said) { names[++count] = $1 }
    {
        split($2, f, " ")
        said[$1] += f[1]; time[$1] += f[2]; cpu[$1] += f[3] + f[4]; arrived[$1] += f[8] - f[6]; other[$1] += f[9] - f[7]
        if (f[5] > memory[$1]) memory[$1] = f[5]
    }
    END {
        for (i = 1; i <= count; i++) {
            n = names[i]
            null = n ~ /null sink/
            base = null ? said[n] : arrived[n]
            cost[n] = 1e6 * cpu[n] / (base ? base : 1)
            speed[n] = base / time[n]
            if (n ~ /^telemetrygen/ && (!best || cost[n] < cost[best])) best = n
            if (n ~ /^SDK/ && (!sdk || cost[n] < cost[sdk])) sdk = n
            if (n ~ /^tracegen/ && !null) lost += said[n] - arrived[n]
            rows = rows sprintf("| %s | %s | %s | %s | %s | %.3f | %.0f | %s |\n", n, grouped(said[n]),
                null ? "-" : grouped(arrived[n]), null ? "-" : grouped(said[n] - arrived[n]), grouped(speed[n]), cost[n],
                memory[n] / 1024, null ? "-" : sprintf("%.2f", 1e6 * other[n] / base))
        }
        print "| client CPU a span that arrived | tracegen, gRPC | tracegen, HTTP |\n|---|---|---|"
        printf "| telemetrygen at its best (%s) | %.0f x | %.0f x |\n", best, cost[best] / cost["tracegen, gRPC"], cost[best] / cost["tracegen, HTTP"]
        printf "| the SDK at its best (%s) | %.1f x | %.1f x |\n\n", sdk, cost[sdk] / cost["tracegen, gRPC"], cost[sdk] / cost["tracegen, HTTP"]
        fastest = speed["tracegen, gRPC"] > speed["tracegen, HTTP"] ? "tracegen, gRPC" : "tracegen, HTTP"
        printf "Without a collector tracegen is %.1f times as fast as with one.\n\n", speed["tracegen, null sink"] / speed[fastest]
        print "| | said | arrived | lost | spans/s | client CPU s a million | client MiB | collector CPU s a million |"
        printf "|---|---:|---:|---:|---:|---:|---:|---:|\n%s", rows
        if (lost != 0) { print "bench-peers: tracegen lost " lost " spans" >"/dev/stderr"; exit 1 }
    }' "$work/results"
