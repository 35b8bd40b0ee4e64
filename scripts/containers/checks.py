#!/usr/bin/env python3
"""Checks images, Compose files and Kubernetes pods as they run. Run by test-containers.sh, in a network of its own.

checks.py CHECKOUT [PART..]: images, light, stack, variables, pods; all of them by default
"""

import sys, time

import compose, images, kubernetes
from engine import FOUND, Failure, expect, keep_checking_health, say

PARTS = {
    "images": images.check,
    "light": compose.check_light,
    "stack": compose.check_defaults,
    "variables": compose.check_variables,
    "pods": kubernetes.check,
}


def main(checkout, *names):
    keep_checking_health()
    images.keep()
    for name in names or PARTS:
        begun = time.monotonic()
        say(f"checking {name} ...")
        try:
            PARTS[name](checkout)
        except Failure as failure:
            expect(False, f"{name}: {failure}")
            compose.end_all()
        say(f"  done in {time.monotonic() - begun:.0f} s")
    for text in FOUND:
        say(f"wrong: {text}")
    sys.exit(bool(FOUND))


main(*sys.argv[1:])
