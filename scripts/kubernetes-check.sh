#!/usr/bin/env bash
# Builds deploy/kubernetes with kustomize, and validates the result strictly against the schemas of the oldest and the
# newest supported Kubernetes. Checks that the number of shards is written only once. Missing tools are fetched into
# ${XDG_CACHE_HOME:-~/.cache}/tracegen: kustomize by Go, the schemas (from kubernetes-validate) by Python. Without either,
# nothing is checked, which is a failure if CI is set.
set -euo pipefail
cd "$(dirname "$0")/.."
name=kubernetes
. scripts/install.sh
make_work

validate_version=1.37.0
kubernetes=(1.33.0 1.37.0)
validate="$cache/kubernetes-validate-$validate_version/bin/python"

missing() {
    say "$1; deploy/kubernetes is left out"
    test -z "${CI:-}"
    exit
}

kustomize=$(scripts/kustomize.sh) || missing "kustomize can't be had"
if [ ! -x "$validate" ]; then
    command -v python3 >/dev/null || missing "Python is needed to get the schemas"
    (step "making a virtual environment" python3 -m venv "$work/venv" &&
        step "fetching kubernetes-validate $validate_version" \
            "$work/venv/bin/pip" install "kubernetes-validate==$validate_version") || missing "the schemas can't be fetched"
    mv -T "$work/venv" "$cache/kubernetes-validate-$validate_version" 2>/dev/null || test -x "$validate"
fi

for part in load serve; do
    "$kustomize" build "deploy/kubernetes/$part" >"$work/$part.yaml"
    for version in "${kubernetes[@]}"; do
        "$validate" -m kubernetes_validate --quiet --strict --kubernetes-version "$version" "$work/$part.yaml" >&2
    done
done

# Twelve shards follow from the only number that a user changes.
cp -r deploy/kubernetes "$work/kubernetes"
sed -i.bak 's/^  completions: .*/  completions: 12/' "$work/kubernetes/load/job.yaml"
"$kustomize" build "$work/kubernetes/load" >"$work/twelve.yaml"
for line in "  completions: 12" "  parallelism: 12" '        - --shard=$(JOB_COMPLETION_INDEX)/12'; do
    grep -qxF -- "$line" "$work/twelve.yaml" || {
        say "with 12 completions in job.yaml there is no line \`$line\`"
        exit 1
    }
done
