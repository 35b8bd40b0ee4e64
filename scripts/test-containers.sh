#!/usr/bin/env bash
# Builds this project's images, runs its Compose files and Kubernetes pods with Podman from Debian's packages on base images
# made here (containers/stand-ins.sh), and checks their properties (containers/checks.py). It needs root, because it runs in
# namespaces of its own: its networks, ports, mounts and containers are invisible to others, and end with it. Without root
# nothing is checked, which is a failure if CI is set.
# test-containers.sh [CHECKOUT [PART..]]: use the files of that checkout (default: this one), and check only these parts.
# Results that take long to make are kept in ${XDG_CACHE_HOME:-~/.cache}/tracegen/containers.
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
    # Two runs at the same time would build the same images.
    mkdir -p "$cache/containers"
    exec 9>"$cache/containers/lock"
    flock 9
    TRACEGEN_INSIDE=1 exec unshare --mount --pid --fork --kill-child --mount-proc "$0" "$checkout" "${parts[@]}"
fi

# The first process of a namespace receives only the signals that it listens for.
trap 'exit 130' INT TERM
make_work
kept="$cache/containers"
mkdir -p "$kept/tmp" "$work/run"
# The network plugins always write their state here.
mount -t tmpfs none /run/containers 2>/dev/null || { mkdir -p /run/containers && mount -t tmpfs none /run/containers; }
# Podman accepts only version 2 of cgroups, and needs none for these tests.
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
# The image format supports health checks. The build has no namespaces of its own. The downloads and builds of cargo are
# kept here.
export BUILDAH_FORMAT=docker BUILDAH_ISOLATION=chroot TMPDIR="$kept/tmp"

# The containers, pods and volumes of an interrupted run are forgotten.
rm -rf "$kept/storage-$driver/libpod" "$kept/storage-$driver/volumes"
podman ps --all --external --quiet | xargs --no-run-if-empty podman rm --force >/dev/null 2>&1 || true

compose=podman-compose-1.6.0
if [ ! -x "$kept/$compose/bin/python" ]; then
    step "making a virtual environment" python3 -m venv "$kept/$compose"
    step "fetching $compose" "$kept/$compose/bin/pip" install --quiet "${compose%-*}==${compose##*-}"
fi
"$scripts/containers/stand-ins.sh" "$checkout"

# Images are built with access to the registry, and run without any network.
builder=("$kept/$compose/bin/podman-compose" --project-name tracegen --file "$checkout/docker-compose/docker-compose.yaml")
commit=$(git -C "$checkout" show --no-patch --format='%h %cs' --abbrev=9 HEAD 2>/dev/null || true)
TRACEGEN_COMMIT=$commit step "building the images of tracegen and of the collector" "${builder[@]}" build

TRACEGEN_PODMAN=$(command -v podman)
KUSTOMIZE=$("$checkout/scripts/kustomize.sh")
export TRACEGEN_PODMAN KUSTOMIZE PATH="$scripts/containers/bin:$kept/$compose/bin:$PATH"
unshare --net sh -c 'ip link set lo up && exec "$@"' sh \
    "$kept/$compose/bin/python" "$scripts/containers/checks.py" "$checkout" "${parts[@]}"
