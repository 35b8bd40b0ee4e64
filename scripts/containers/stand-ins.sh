#!/usr/bin/env bash
# Makes the images that this project's files build on or run, under the names in those files, from package registries: a
# Debian root, this machine's Rust, and the collector, Jaeger and ClickHouse of the tests. It is not needed where the real
# images can be pulled. It is run by test-containers.sh, in whose environment podman works.
# stand-ins.sh CHECKOUT: make the images for that checkout's files.
set -euo pipefail
checkout=$(realpath "$1")
cd "$(dirname "$0")"
name=containers
. ../install.sh

# Prints the image of a stage or service that a file names: everything between the words and the end, without `AS ...`.
named() { sed -n "s,^ *\(FROM\|image:\) \($1:[^ ]*\).*,\2,p" "$checkout/$2" | head -n 1; }
rust=$(named rust Dockerfile)
busybox=$(named busybox otel-collector/Dockerfile)
collector=$(named otel/opentelemetry-collector-contrib otel-collector/Dockerfile)
clickhouse=$(named clickhouse/clickhouse-server docker-compose/docker-compose.yaml)
jaeger=$(named jaegertracing/jaeger docker-compose/docker-compose.yaml)

digest() { sha256sum | cut -c1-16; }

# commit CONTAINER CHANGES..: commit the container as the image that was asked for last.
commit() {
    local container=$1 changes=()
    shift
    for change in "LABEL tracegen.parts=$label" "$@"; do changes+=(--change "$change"); done
    podman commit --quiet "${changes[@]}" "$container" "$image"
    podman rm "$container"
}
# Makes an empty container, and prints the root of its files.
begin() {
    container=$(podman create "$1" -)
    root=$(podman mount "$container")
}

suite=$(. /etc/os-release && [ "$ID" = debian ] && echo "$VERSION_CODENAME" || echo bookworm)
packages=gcc,libc6-dev,musl-tools,binutils,ca-certificates,python3-minimal,libpython3-stdlib,busybox-static
debian=localhost/tracegen-debian:$suite-$(echo "$packages" | digest)
debian() {
    if ! podman image exists "$debian"; then step "making a small Debian, $suite" make_debian; fi
}
make_debian() {
    mmdebstrap --quiet --variant=minbase --dpkgopt=force-unsafe-io \
        --include="$packages" "$suite" "$work/root.tar"
    podman import "$work/root.tar" "$debian"
    rm "$work/root.tar"
}
empty() {
    if ! podman image exists localhost/tracegen-empty; then
        tar -c -T /dev/null | podman import - localhost/tracegen-empty >&2
    fi
}

make_rust() {
    local version=${rust#rust:} sysroot musl
    version=${version%%-*}
    musl=$(uname -m)-unknown-linux-musl
    sysroot=$(rustc "+$version" --print sysroot 2>/dev/null || rustc --print sysroot)
    "$sysroot/bin/rustc" --version | grep -F "rustc $version " ||
        { echo "Rust $version is needed, as the Dockerfile names it: rustup toolchain install $version"; return 1; }
    [ -d "$sysroot/lib/rustlib/$musl" ] || rustup target add "$musl" --toolchain "$(basename "$sysroot")"
    begin "$debian"
    mkdir -p "$root/usr/local/rust" "$root/usr/local/cargo"
    tar -C "$sysroot" -c bin/rustc bin/cargo lib libexec 2>/dev/null | tar -C "$root/usr/local/rust" -x
    ln -s ../rust/bin/rustc "$root/usr/local/bin/rustc"
    install -m 755 cargo apk "$root/usr/local/bin/"
    # The authorities that this machine trusts.
    cp /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"
    commit "$container" 'ENV CARGO_HOME=/usr/local/cargo' 'ENV PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin'
}

make_busybox() {
    begin "$debian"
    local from=$container source=$root
    empty
    begin localhost/tracegen-empty
    install -D "$source/bin/busybox" "$root/bin/busybox"
    podman rm "$from"
    commit "$container" 'CMD ["/bin/busybox", "sh"]'
}

make_collector() {
    begin localhost/tracegen-empty
    install -D "$1" "$root/otelcol-contrib"
    commit "$container" 'USER 10001' 'ENTRYPOINT ["/otelcol-contrib"]' 'EXPOSE 4317' 'EXPOSE 4318' \
        'CMD ["--config", "/etc/otelcol-contrib/config.yaml"]'
}

# The real image is based on Alpine, so it has wget and a shell.
make_jaeger() {
    begin "docker.io/library/$busybox"
    ln -s busybox "$root/bin/wget"
    ln -s busybox "$root/bin/sh"
    mkdir -m 1777 "$root/tmp"
    install -D "$1" "$root/cmd/jaeger/jaeger-linux"
    commit "$container" 'ENV JAEGER_LISTEN_HOST=0.0.0.0' 'USER 10001' 'ENTRYPOINT ["/cmd/jaeger/jaeger-linux"]' \
        'VOLUME /tmp' 'CMD []'
}

make_clickhouse() {
    local version
    version=$(sed -n 's/^version=//p' ../clickhouse.sh)
    python3 -m pip install --quiet --no-deps --only-binary :all: --implementation cp --python-version 3.11 \
        --platform "manylinux2014_$(uname -m)" --target "$work/chdb" "chdb-core==$version"
    begin "$debian"
    mkdir -p "$root/opt/clickhouse" "$root/var/lib/clickhouse" "$root/var/log/clickhouse-server"
    cp -r "$work/chdb" "$root/opt/clickhouse/python"
    rm -r "$work/chdb"
    install -m 755 clickhouse-entrypoint.py ../clickhouse-server.py "$root/opt/clickhouse/"
    ln -s busybox "$root/bin/wget"
    commit "$container" 'ENV PYTHONPATH=/opt/clickhouse/python' 'ENTRYPOINT ["/opt/clickhouse/clickhouse-entrypoint.py"]' \
        'CMD []' 'VOLUME /var/lib/clickhouse' 'EXPOSE 8123' 'EXPOSE 9000'
}

# make IMAGE WITH FUNCTION BINARY FILES..: make an image unless it exists already and was made in this way from these files.
# WITH is needed first, and BINARY is the function's argument.
make() {
    local with=$2 function=$3 binary=$4
    image=docker.io/$1
    case $1 in */*) ;; *) image=docker.io/library/$1 ;; esac
    label=$({ declare -f "$function"; echo "$debian"; cat "${@:5}" </dev/null; } | digest)
    if [ "$(podman image inspect --format '{{index .Labels "tracegen.parts"}}' "$image" 2>/dev/null)" != "$label" ]; then
        $with
        step "making $1" "$function" "$binary"
    fi
}

make_work
collector_binary=$("$checkout/scripts/collector.sh")
jaeger_binary=$("$checkout/scripts/jaeger.sh")
make "$rust" debian make_rust '' cargo apk
make "$busybox" debian make_busybox ''
make "$collector" empty make_collector "${collector_binary#*=}" "$checkout/otel-collector/builder.yaml"
make "$jaeger" : make_jaeger "${jaeger_binary#*=}" "$checkout/scripts/jaeger.sh"
make "$clickhouse" debian make_clickhouse '' ../clickhouse.sh ../clickhouse-server.py clickhouse-entrypoint.py
