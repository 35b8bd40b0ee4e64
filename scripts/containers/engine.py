"""Podman and make for the checks, and the findings."""

import datetime, json, os, re, signal, subprocess, sys, threading, time, urllib.error, urllib.request
from pathlib import Path

FOUND = []
PODMAN = os.environ["TRACEGEN_PODMAN"]
# Requests to this machine go without a proxy.
LOCAL = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Failure(Exception):
    """An error that ends the part of the checks in which it is raised."""


def say(text):
    print(f"containers: {text}", file=sys.stderr, flush=True)


def expect(holds, text):
    """Records a failed check; the other checks go on."""
    if not holds and text not in FOUND:
        FOUND.append(text)
        say(f"WRONG: {text}")


def podman(*words, check=True, timeout=120):
    try:
        done = subprocess.run([PODMAN, *words], capture_output=True, text=True, timeout=timeout)
    except subprocess.TimeoutExpired:
        raise Failure(f"podman {' '.join(words)} has not ended after {timeout} s") from None
    if check and done.returncode:
        raise Failure(f"podman {' '.join(words)}: {done.stderr.strip()[-500:]}")
    return done.stdout


def inspect(name):
    return json.loads(podman("inspect", name))[0]


def running():
    """Returns the container ids by Compose service."""
    listed = json.loads(podman("ps", "--format", "json") or "[]")
    label = "com.docker.compose.service"
    return {container["Labels"][label]: container["Id"] for container in listed if label in (container["Labels"] or {})}


def health(name):
    try:
        return (inspect(name)["State"].get("Health") or {}).get("Status", "")
    except Failure:
        return "gone"


def check_confined_process(where, pid):
    """The container runs without root and capabilities, can't gain any, and can't write to its root."""
    status = dict(line.split(":\t", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    expect(status["Uid"].split()[0] != "0", f"{where} runs as root")
    for name in ("CapPrm", "CapEff", "CapBnd", "CapAmb"):
        expect(int(status[name], 16) == 0, f"{where} has capabilities ({name} {status[name]}): it should drop all")
    expect(status["NoNewPrivs"] == "1", f"{where} may gain privileges: that should be forbidden")
    mounts = [line.split() for line in Path(f"/proc/{pid}/mountinfo").read_text().splitlines()]
    root = [mount[5].split(",") for mount in mounts if mount[4] == "/"][-1]
    expect("ro" in root, f"{where} can write to its root: that should be read-only")


def nanoseconds(time_text):
    """Parses a time that podman printed, and returns it since 1970."""
    whole, fraction, zone = re.match(r"(.*?)(?:\.(\d+))?(Z|[+-]\d\d:\d\d)$", time_text).groups()
    moment = datetime.datetime.fromisoformat(whole + zone.replace("Z", "+00:00"))
    return int(moment.timestamp()) * 10**9 + int((fraction or "0").ljust(9, "0"))


def keep_checking_health():
    """Runs a container's health check every second, because nothing else does without systemd."""

    def tick():
        while True:
            for name in podman("ps", "--quiet", check=False).split():
                subprocess.run([PODMAN, "healthcheck", "run", name], capture_output=True)
            time.sleep(1)

    threading.Thread(target=tick, daemon=True).start()


def make(checkout, target, variables=None, timeout=300):
    """Returns the output of a target of the Makefile, which must succeed without any part becoming unhealthy."""
    pipes = {"text": True, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    environment = os.environ | (variables or {})
    child = subprocess.Popen(["make", "-C", checkout, target], env=environment, start_new_session=True, **pipes)
    begun = time.monotonic()
    while True:
        try:
            said, _ = child.communicate(timeout=2)
            break
        except subprocess.TimeoutExpired:
            states = {service: health(container) for service, container in running().items()}
            ill = [service for service, state in states.items() if state == "unhealthy"]
            if ill or time.monotonic() - begun > timeout:
                os.killpg(child.pid, signal.SIGKILL)
                child.wait()
                told = [f"{service} is {state or 'without a health check'}" for service, state in states.items()]
                raise Failure(f"make {target} does not end: {'; '.join(told) or 'nothing runs'}")
    if child.returncode:
        raise Failure(f"make {target} fails: {said.strip()[-1500:]}")
    return said


def until(text, attempt, patience=60):
    """Repeats an attempt until its result is true, and returns it."""
    begun, why = time.monotonic(), "never"
    while time.monotonic() - begun < patience:
        try:
            if found := attempt():
                return found
        except (OSError, ValueError, Failure) as e:
            why = e
        time.sleep(0.3)
    raise Failure(f"{text}: not within {patience} s ({why})")


def get(url, headers=None, body=None):
    """Returns the status and text of an answer."""
    try:
        with LOCAL.open(urllib.request.Request(url, body, headers or {}), timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
