# Sourced by the scripts beside it that install what the tests and checks need; `name` says what. Whatever is installed is
# kept in ${XDG_CACHE_HOME:-~/.cache}/tracegen.
cache="${XDG_CACHE_HOME:-$HOME/.cache}/tracegen"

say() { echo "$name: $*" >&2; }

# need TOOL WHY: leave if there is no such tool.
need() {
    command -v "$1" >/dev/null || { say "$2"; exit 1; }
}

# Make the folder $work, unless there is one, which goes at the end. It is beside the final place, so that what is built in it
# is moved there in one step: two installations at once do no harm, and an interrupted one leaves nothing that looks whole.
make_work() {
    test -z "${work:-}" || return 0
    mkdir -p "$cache"
    work=$(mktemp -d "$cache/building.XXXXXX")
    trap 'rm -rf "$work"' EXIT
}

# step WHAT COMMAND...: run it; what it prints is shown only if it fails. A function fails with its first line that does.
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
