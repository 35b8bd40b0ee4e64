#!/usr/bin/env bash
# Runs a command of Docker Compose on a file of docker-compose/; where there is no Docker that could, says what is missing
# and which target of the Makefile does without it:
#   docker.sh TARGET FILE COMMAND..
set -euo pipefail
cd "$(dirname "$0")/../docker-compose"

target=$1 file=$2
shift 2
without() { echo "docker: $1; without Docker: make $target" >&2; exit 1; }

command -v docker >/dev/null || without "Docker is not installed"
docker info >/dev/null 2>&1 || without "no Docker engine answers here (is it started, and may this user ask it?)"
docker compose version >/dev/null 2>&1 || without "Docker has no Compose plugin here"
TRACEGEN_COMMIT=$(git show --no-patch --format='%h %cs' --abbrev=9 HEAD 2>/dev/null || true)
export TRACEGEN_COMMIT
exec docker compose --project-name tracegen --file "$file" "$@"
