"""Checks of the images: their content, and the user that they run as."""

import os, struct
from pathlib import Path

from engine import expect, inspect, podman

TRACEGEN, COLLECTOR = "localhost/tracegen_tracegen", "localhost/tracegen_otel-collector"
# The maximum sizes in bytes.
MOST = 24 << 20


def files(image):
    """Returns the root of an image, and everything in it except folders."""
    root = Path(podman("image", "mount", image).strip())
    return root, {str(path.relative_to(root)) for path in root.rglob("*") if not path.is_dir() or path.is_symlink()}


def asks_for_a_linker(binary):
    """Returns whether an ELF file names an interpreter, which would load libraries."""
    with open(binary, "rb") as file:
        head = file.read(64)
        offset, size, count = struct.unpack_from("<Q", head, 32)[0], *struct.unpack_from("<HH", head, 54)
        file.seek(offset)
        kinds = [struct.unpack_from("<I", file.read(size))[0] for _ in range(count)]
    return 3 in kinds


def keep():
    """Gives both images another name, so that the next build can reuse them when their own names are removed."""
    for image in (TRACEGEN, COLLECTOR):
        podman("tag", image, f"{image}-kept")


def check(checkout):
    root, found = files(TRACEGEN)
    binary, authorities = "usr/local/bin/tracegen", "etc/ssl/certs/ca-certificates.crt"
    scenarios = {str(path.relative_to(checkout)) for path in Path(checkout, "scenarios").rglob("*") if path.is_file()}
    expected = {binary, authorities} | scenarios
    more, less = sorted(found - expected), sorted(expected - found)
    expect(not more, f"Dockerfile: the image holds what it should not: {', '.join(more[:5])}")
    expect(not less, f"Dockerfile: the image lacks {', '.join(less[:5])}")
    if binary in found:
        expect(not asks_for_a_linker(root / binary), "Dockerfile: the binary is not static")
    size = sum(os.path.getsize(root / file) for file in found)
    expect(size < MOST, f"Dockerfile: the image has {size >> 20} MiB, more than {MOST >> 20}")
    image = inspect(TRACEGEN)
    config = image["Config"]
    expect(config.get("User") == "65532:65532", f"Dockerfile: the user is {config.get('User') or 'root'}, not 65532:65532")
    expect(image.get("Healthcheck"), "Dockerfile: the image has no health check")
    podman("image", "unmount", TRACEGEN)

    _, found = files(COLLECTOR)
    configurations = ("otel-collector-config.yaml", "otel-collector-inmemory.yaml")
    expected = {"bin/wget"} | {f"etc/otelcol-contrib/{name}" for name in configurations}
    expect(expected <= found, f"otel-collector/Dockerfile: the image lacks {', '.join(sorted(expected - found))}")
    image = inspect(COLLECTOR)
    expect(image["Config"].get("User") not in ("", "0", "root"), "otel-collector/Dockerfile: it runs as root")
    expect(image.get("Healthcheck"), "otel-collector/Dockerfile: the image has no health check")
    podman("image", "unmount", COLLECTOR)
