# Sourced by the scripts beside it that install what the tests and checks need; `name` is the name of the tool. Everything
# is kept in ${XDG_CACHE_HOME:-~/.cache}/tracegen.
cache="${XDG_CACHE_HOME:-$HOME/.cache}/tracegen"

say() { echo "$name: $*" >&2; }

# need TOOL WHY: exit if there is no such tool.
need() {
    command -v "$1" >/dev/null || { say "$2"; exit 1; }
}

# Makes the folder $work unless it exists; it is removed at the end. It is beside the final place, so that a finished build
# is moved there in one step: two installations at once are safe, and an interrupted one leaves nothing that looks complete.
make_work() {
    test -z "${work:-}" || return 0
    mkdir -p "$cache"
    work=$(mktemp -d "$cache/building.XXXXXX")
    trap 'rm -rf "$work"' EXIT
}

# step WHAT COMMAND...: run a command, and show its output only if it fails. A function fails with its first failing line.
step() {
    local started=$SECONDS status=0
    say "$1 ..."
    shift
    set +e
    (set -e; "$@") >"$work/log" 2>&1
    status=$?
    set -e
    if [ "$status" != 0 ]; then
        cat "$work/log" >&2
        say "failed: $*"
        exit 1
    fi
    say "  done in $((SECONDS - started)) s"
}
