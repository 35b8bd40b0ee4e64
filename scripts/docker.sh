#!/usr/bin/env bash
# Runs a Compose command on a file of docker-compose/ with Docker or Podman, and says with which. If there is neither, says
# what is missing and which target of the Makefile works without it:
#   docker.sh TARGET FILE COMMAND..
set -euo pipefail
cd "$(dirname "$0")/../docker-compose"
. ../scripts/compose.sh

target=$1 file=$2
shift 2
find_compose
if [ -n "$missing" ]; then
    echo "docker: $missing; without containers: make $target" >&2
    exit 1
fi
echo "docker: with ${compose[*]}" >&2
TRACEGEN_COMMIT=$(git show --no-patch --format='%h %cs' --abbrev=9 HEAD 2>/dev/null || true)
export TRACEGEN_COMMIT
exec "${compose[@]}" --project-name tracegen --file "$file" "$@"
