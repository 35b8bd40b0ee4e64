#!/usr/bin/env bash
# Builds this project's images and runs its Compose files and Kubernetes pods for real, with Podman from Debian's packages, on
# base images made here (containers/stand-ins.sh), and checks what they promise (containers/checks.py). It takes root, for it
# runs in namespaces of its own: networks, ports, mounts and containers are seen by nobody else, and are gone with it. Where
# that can't be had it is left out, which is a failure where CI is set.
#   test-containers.sh [CHECKOUT [PART..]]: the files of that checkout, by default of this one; of what is checked, these parts
# What takes long to make is kept in ${XDG_CACHE_HOME:-~/.cache}/tracegen/containers.
set -euo pipefail
scripts=$(realpath "$(dirname "$0")")
checkout=$(realpath "${1:-$scripts/..}")
parts=("${@:2}")
name=containers
. "$scripts/install.sh"
missing() { say "$1; the containers are left out"; test -z "${CI:-}"; exit; }

if [ -z "${TRACEGEN_INSIDE:-}" ]; then
    [ "$(id -u)" = 0 ] || missing "root is needed"
    packages=(podman crun netavark aardvark-dns catatonit iptables mmdebstrap)
    if [ "$(command -v podman crun catatonit mmdebstrap iptables | wc -l)" != 5 ] || ! [ -x /usr/lib/podman/netavark ]; then
        command -v apt-get >/dev/null || missing "podman is needed (Debian: ${packages[*]})"
        make_work
        (step "reading the lists of packages" apt-get update &&
            step "installing ${packages[*]}" apt-get install -y --no-install-recommends "${packages[@]}") ||
            missing "podman can't be installed"
        rm -rf "$work"
    fi
    unshare --mount true 2>/dev/null || missing "namespaces are forbidden here"
    # Two at a time would build the same images.
    mkdir -p "$cache/containers"
    exec 9>"$cache/containers/lock"
    flock 9
    TRACEGEN_INSIDE=1 exec unshare --mount --pid --fork --kill-child --mount-proc "$0" "$checkout" "${parts[@]}"
fi

# The first process of its namespace: it hears only what it listens for.
trap 'exit 130' INT TERM
make_work
kept="$cache/containers"
mkdir -p "$kept/tmp" "$work/run"
# Where the network plugins write what they know, whatever they are told.
mount -t tmpfs none /run/containers 2>/dev/null || { mkdir -p /run/containers && mount -t tmpfs none /run/containers; }
# Podman takes version 2 of cgroups alone, and needs none for what is tested here.
umount -R /sys/fs/cgroup && mount -t cgroup2 none /sys/fs/cgroup || missing "cgroups can't be mounted"
# Overlay is many times as fast as vfs, which works everywhere.
driver=vfs
mkdir "$work/lower" "$work/upper" "$work/worker" "$work/merged"
if mount -t overlay overlay -o "lowerdir=$work/lower,upperdir=$work/upper,workdir=$work/worker" "$work/merged" 2>/dev/null; then
    umount "$work/merged"
    driver=overlay
fi
cat >"$work/containers.conf" <<END
[containers]
default_ulimits = []
cgroups = "disabled"
[network]
network_config_dir = "$work/networks"
[engine]
cgroup_manager = "cgroupfs"
runtime = "crun"
events_logger = "file"
tmp_dir = "$work/run/libpod"
END
cat >"$work/storage.conf" <<END
[storage]
driver = "$driver"
graphroot = "$kept/storage-$driver"
runroot = "$work/run"
END
echo 'unqualified-search-registries = ["docker.io"]' >"$work/registries.conf"
export CONTAINERS_CONF="$work/containers.conf" CONTAINERS_STORAGE_CONF="$work/storage.conf"
export CONTAINERS_REGISTRIES_CONF="$work/registries.conf"
# The format that has health checks; without namespaces of the build's own; what cargo has fetched and built is kept here.
export BUILDAH_FORMAT=docker BUILDAH_ISOLATION=chroot TMPDIR="$kept/tmp"

# Of containers, pods and volumes that an interrupted run left, nothing is known any more.
rm -rf "$kept/storage-$driver/libpod" "$kept/storage-$driver/volumes"
podman ps --all --external --quiet | xargs --no-run-if-empty podman rm --force >/dev/null 2>&1 || true

compose=podman-compose-1.6.0
if [ ! -x "$kept/$compose/bin/python" ]; then
    step "making a virtual environment" python3 -m venv "$kept/$compose"
    step "fetching $compose" "$kept/$compose/bin/pip" install --quiet "${compose%-*}==${compose##*-}"
fi
"$scripts/containers/stand-ins.sh" "$checkout"

# Images are built where the registry can be reached, and run where nothing can.
builder=("$kept/$compose/bin/podman-compose" --project-name tracegen --file "$checkout/docker-compose/docker-compose.yaml")
commit=$(git -C "$checkout" show --no-patch --format='%h %cs' --abbrev=9 HEAD 2>/dev/null || true)
TRACEGEN_COMMIT=$commit step "building the images of tracegen and of the collector" "${builder[@]}" build

TRACEGEN_PODMAN=$(command -v podman)
KUSTOMIZE=$("$checkout/scripts/kustomize.sh")
export TRACEGEN_PODMAN KUSTOMIZE PATH="$scripts/containers/bin:$kept/$compose/bin:$PATH"
unshare --net sh -c 'ip link set lo up && exec "$@"' sh \
    "$kept/$compose/bin/python" "$scripts/containers/checks.py" "$checkout" "${parts[@]}"
