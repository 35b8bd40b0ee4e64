#!/usr/bin/env bash
# Makes dist/tracegen-VERSION-TARGET.tar.gz, with a static binary, its manual, completions, scenarios, licences and a list
# of its components (CycloneDX), and dist/SHA256SUMS. The target is musl if Rust has it or can fetch it and there is a C
# compiler for it (Debian: musl-tools); otherwise it is glibc, linked statically.
set -euo pipefail
cd "$(dirname "$0")/.."

say() { echo "dist: $*" >&2; }

machine=$(rustc -vV | sed -n 's/^host: \([^-]*\)-.*/\1/p')
musl="$machine-unknown-linux-musl"
if command -v musl-gcc >/dev/null && {
    [ -d "$(rustc --print sysroot)/lib/rustlib/$musl" ] || rustup target add "$musl" >&2
}; then
    target=$musl
else
    target="$machine-unknown-linux-gnu"
    say "no musl here (rustup target add $musl; Debian's musl-tools): linking with glibc, statically"
    export RUSTFLAGS="${RUSTFLAGS:-} -C target-feature=+crt-static"
fi

say "building for $target"
cargo build --profile dist --locked --target "$target"
binary="target/$target/dist/tracegen"
version=$("$binary" --version | cut -d' ' -f2)
name="tracegen-$version-$target"
mkdir -p dist
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
folder="$work/$name"
mkdir -p "$folder/completions"
cp "$binary" README.md CHANGELOG.md LICENSE-MIT LICENSE-APACHE "$folder/"
strip "$folder/tracegen"
cp -R scenarios "$folder/"
cp grammar/language.md "$folder/"
"$folder/tracegen" man "$folder/man/man1"
for shell in bash zsh fish; do "$folder/tracegen" completions $shell >"$folder/completions/tracegen.$shell"; done

scripts/dist-check.sh "$folder/tracegen"

cyclonedx=$(scripts/cargo-tool.sh cargo-cyclonedx)
"$cyclonedx" cyclonedx --format json --target "$target" --override-filename tracegen.cdx >&2
mv tracegen.cdx.json "$folder/"

# The same contents give the same archive: names in order, no owners, the commit's time.
time=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || date +%s)}
tar --sort=name --owner=0 --group=0 --numeric-owner --mtime="@$time" -C "$work" -cf - "$name" | gzip -9n >"dist/$name.tar.gz"
(cd dist && sha256sum ./*.tar.gz >SHA256SUMS)
say "dist/$name.tar.gz, $(du -h "dist/$name.tar.gz" | cut -f1)"
