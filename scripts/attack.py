#!/usr/bin/env python3
"""Attacks a tracegen binary on loopback, and prints what was sent, how much memory and time it took, and how it held.

    scripts/attack.py [BINARY] [--only NAME]

A case is a function below with `@case`: it says what it sends, how many MiB the process may take at most and how many seconds, and
returns what is wrong, or nothing. Only the standard library is used. The exit status is 1 where a case does not hold.
"""

import argparse
import contextlib
import gzip
import http.server
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import zlib

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
MIB = 1 << 20
CASES = []
# On a busy machine everything takes longer.
PATIENCE = 4


def case(sent, mib, seconds):
    """A case: what is sent, and at most how many MiB and seconds it may take."""

    def add(attack):
        CASES.append((attack.__name__.replace("_", " "), sent, mib, seconds, attack))
        return attack

    return add


class Process:
    """A tracegen, watched: the most memory that it takes, and for how long it runs."""

    def __init__(self, binary, arguments, most_mib, **pipes):
        environment = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/")}
        environment.update(pipes.pop("environment", {}))
        pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | pipes
        self.child = subprocess.Popen([binary, *arguments], env=environment, **pipes)
        self.peak_kib, self.most_kib = 0, most_mib << 10
        self.lines, self.spoken = [], threading.Event()
        threading.Thread(target=self.watch, daemon=True).start()
        if self.child.stderr:
            threading.Thread(target=self.listen, daemon=True).start()

    def watch(self):
        while self.child.poll() is None:
            with contextlib.suppress(OSError):
                with open(f"/proc/{self.child.pid}/status") as status:
                    for line in status:
                        if line.startswith("VmHWM:"):
                            self.peak_kib = max(self.peak_kib, int(line.split()[1]))
            if self.peak_kib > 4 * self.most_kib:
                # The machine is not to be taken down by it.
                self.child.kill()
            time.sleep(0.005)

    def listen(self):
        for line in self.child.stderr:
            if len(self.lines) < 1_000:
                self.lines.append(line.decode(errors="replace").strip())
            self.spoken.set()

    def said(self, start, seconds=30):
        """The rest of the first line that begins like that."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            for line in list(self.lines):
                if line.startswith(start):
                    return line[len(start):]
            time.sleep(0.02)
        raise AssertionError(f"it did not say `{start}`: {self.lines[:5]}")

    def end(self, seconds):
        """The exit status; None: it did not end."""
        try:
            self.child.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()
            return None
        return self.child.returncode


class Bench:
    """What a case works with."""

    def __init__(self, binary, folder, mib, seconds):
        self.binary, self.folder, self.mib, self.seconds = binary, folder, mib, seconds
        self.peak_kib, self.processes = 0, []

    def path(self, name, content=None):
        path = os.path.join(self.folder, name)
        if content is not None:
            with open(path, "wb") as file:
                file.write(content if isinstance(content, bytes) else content.encode())
        return path

    def start(self, *arguments, **pipes):
        process = Process(self.binary, arguments, self.mib, **pipes)
        self.processes.append(process)
        return process

    def run(self, *arguments, expect=(0, 1, 2, 3), **pipes):
        """Runs to the end; what is wrong with it."""
        process = self.start(*arguments, **pipes)
        status = process.end(self.seconds)
        if status is None:
            return "it did not end in time"
        return None if status in expect else f"exit status {status}: {' '.join(process.lines[-2:])}"

    def close(self):
        for process in self.processes:
            process.child.kill()
            process.child.wait()
            self.peak_kib = max(self.peak_kib, process.peak_kib)

    # A run of the examples, in a file of JSON lines, and its manifest.
    def manifest(self):
        path = self.path("run.json")
        if not os.path.exists(path):
            subprocess.run(
                [self.binary, "run", "--seed", "42", "--count", "50", "--start", "2026-01-01", "--rate", "10/s", "--quiet"]
                + ["--exporter", f"file={self.path('run.jsonl')}", "--manifest", path]
                + [os.path.join(ROOT, "scenarios/examples")],
                check=True,
                capture_output=True,
            )
        return path

    def edited(self, edit):
        with open(self.manifest()) as file:
            manifest = json.load(file)
        edit(manifest)
        return self.path("edited.json", json.dumps(manifest))

    def verify(self, source, expect=(0, 1, 3)):
        return self.run("verify", "--quiet", "--manifest", self.manifest(), "--from", source, expect=expect)

    @contextlib.contextmanager
    def sink(self, *arguments):
        """A sink; where it listens, and the process."""
        process = self.start("sink", "--listen", "127.0.0.1:0", "--format=json", *arguments)
        host, port = process.said("tracegen: listening at ").rsplit(":", 1)
        try:
            yield (host, int(port)), process
        finally:
            process.child.send_signal(signal.SIGINT)
            process.end(30)


def gzipped_repeat(head, unit, times, tail):
    """Gzip of `head`, so many times `unit`, and `tail`, made without holding it."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    parts = [packer.compress(head)]
    block = unit * 10_000
    parts += [packer.compress(block) for _ in range(times // 10_000)]
    parts += [packer.compress(tail), packer.flush()]
    return b"".join(parts)


def post(address, body, kind="application/json", encoding=None, timeout=60):
    """The status of an OTLP/HTTP request."""
    head = f"POST /v1/traces HTTP/1.1\r\nhost: x\r\ncontent-type: {kind}\r\ncontent-length: {len(body)}\r\n"
    head += f"content-encoding: {encoding}\r\n" if encoding else ""
    with socket.create_connection(address, timeout=timeout) as stream:
        stream.sendall(head.encode() + b"connection: close\r\n\r\n" + body)
        answer = stream.recv(100)
    return int(answer.split()[1]) if answer.startswith(b"HTTP/1.1 ") else 0


def field(number, content):
    """A field of protobuf that holds a message, a text or bytes."""
    length, n = b"", len(content)
    while n >= 0x80:
        length, n = length + bytes([n & 0x7F | 0x80]), n >> 7
    return bytes([number << 3 | 2]) + length + bytes([n]) + content


def answering(head, block, seconds=60):
    """A server that answers every request with `head`, and then `block` again and again; its port."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_any(self):
            self.rfile.read(int(self.headers.get("content-length") or 0))
            answer = head(self.path)
            endless = answer is None
            self.send_response(200)
            self.send_header("content-type", "application/octet-stream")
            if not endless:
                self.send_header("content-length", str(len(answer)))
            self.end_headers()
            with contextlib.suppress(OSError):
                until = time.monotonic() + seconds
                self.wfile.write(answer or b"")
                while endless and time.monotonic() < until:
                    self.wfile.write(block)

        do_GET = do_POST = do_any

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server.server_address[1]


# -- sink: memory ---------------------------------------------------------------------------------------------------------

JSON_HEAD, JSON_TAIL = b'{"resourceSpans":[{"scopeSpans":[{"spans":[{}', b"]}]}]}"


@case("2 KiB of gzip, 700,000 empty spans in JSON, 20 times", 256, 60)
def sink_json_of_empty_spans(bench):
    body = gzipped_repeat(JSON_HEAD, b",{}", 700_000, JSON_TAIL)
    with bench.sink() as (address, _):
        statuses = {post(address, body, encoding="gzip") for _ in range(20)}
    return None if statuses <= {200, 413} else f"statuses {statuses}"


@case("64 KiB of gzip, 64 MiB of JSON, 16 at once", 3_072, 120)
def sink_json_as_large_as_it_may_be(bench):
    body, statuses = gzipped_repeat(JSON_HEAD, b",{}", 22_000_000, JSON_TAIL), []
    with bench.sink() as (address, _):
        senders = [threading.Thread(target=lambda: statuses.append(post(address, body, encoding="gzip", timeout=120))) for _ in range(16)]
        [sender.start() for sender in senders]
        [sender.join() for sender in senders]
    return None if set(statuses) <= {200, 413} else f"statuses {statuses}"


@case("6 KiB of gzip, 3 million empty spans in protobuf, 10 times", 256, 60)
def sink_protobuf_of_empty_spans(bench):
    body = gzip.compress(field(1, field(2, b"\x12\x00" * 3_000_000)))
    with bench.sink() as (address, _):
        statuses = {post(address, body, "application/x-protobuf", "gzip") for _ in range(10)}
    return None if statuses == {200} else f"statuses {statuses}"


@case("1,100 services with names of 1 MiB", 128, 90)
def sink_names_without_end(bench):
    def body(i):
        name = field(1, b"service.name") + field(2, field(1, b"%d" % i + b"x" * MIB))
        return gzip.compress(field(1, field(1, field(1, name)) + field(2, field(2, b""))), 1)

    with bench.sink() as (address, _):
        statuses = {post(address, body(i), "application/x-protobuf", "gzip") for i in range(1_100)}
    return None if statuses == {200} else f"statuses {statuses}"


# -- sink: connections ----------------------------------------------------------------------------------------------------


@case("256 connections that say nothing, then a request", 96, 30)
def sink_silent_connections(bench):
    with bench.sink() as (address, _):
        silent = [socket.create_connection(address, timeout=10) for _ in range(256)]
        status = post(address, b"{}", timeout=20)
        [stream.close() for stream in silent]
    return None if status == 200 else f"status {status}"


@case("256 connections with a head that goes on and on, then a request", 96, 30)
def sink_slow_heads(bench):
    with bench.sink() as (address, _):
        slow = [socket.create_connection(address, timeout=10) for _ in range(256)]
        for stream in slow:
            stream.sendall(b"POST /v1/traces HTTP/1.1\r\nhost: x\r\n")
        status = post(address, b"{}", timeout=20)
        [stream.close() for stream in slow]
    return None if status == 200 else f"status {status}"


@case("64 requests that stall within their bodies, then a request", 192, 60)
def sink_stalled_bodies(bench):
    head = b"POST /v1/traces HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 1000000\r\n\r\n"
    with bench.sink() as (address, _):
        stalled = [socket.create_connection(address, timeout=10) for _ in range(64)]
        for stream in stalled:
            stream.sendall(head + b" " * 1_000)
        status = post(address, b"{}", timeout=40)
        [stream.close() for stream in stalled]
    return None if status == 200 else f"status {status}"


@case("256 idle connections in HTTP/2, then a request", 128, 30)
def sink_idle_http2(bench):
    preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + struct.pack(">I", 0)[1:] + b"\x04\x00" + struct.pack(">I", 0)
    with bench.sink() as (address, _):
        idle = []
        for _ in range(256):
            idle.append(socket.create_connection(address, timeout=10))
            idle[-1].sendall(preface)
        status = post(address, b"{}", timeout=20)
        [stream.close() for stream in idle]
    return None if status == 200 else f"status {status}"


# -- verify ---------------------------------------------------------------------------------------------------------------


@case("1.5 GB in one line, as gzip", 384, 60)
def verify_gzip_of_one_line(bench):
    return bench.verify(bench.path("bomb.json.gz", gzipped_repeat(b'{"resourceSpans":[{"a":"', b"x" * 100, 15_000_000, b'"}]}')))


@case("64 MiB of empty spans in JSON, as gzip", 384, 90)
def verify_json_of_empty_spans(bench):
    return bench.verify(bench.path("spans.json.gz", gzipped_repeat(JSON_HEAD, b",{}", 22_000_000, JSON_TAIL)))


@case("a span with 30 million attributes, in JSON and in protobuf", 512, 90)
def verify_span_of_attributes(bench):
    text = gzipped_repeat(b'{"resourceSpans":[{"scopeSpans":[{"spans":[{"attributes":[{}', b",{}", 20_000_000, b"]}]}]}]}")
    message = field(1, field(2, field(2, b"\x4a\x00" * 30_000_000)))
    frame = gzip.compress(struct.pack(">I", len(message)) + message, 1)
    return bench.verify(bench.path("a.json.gz", text)) or bench.verify(bench.path("a.bin.gz", frame))


@case("ClickHouse that answers with an endless text", 256, 60)
def verify_endless_clickhouse(bench):
    port = answering(lambda path: None, b"\xff" * 65_536)
    return bench.verify(f"clickhouse=http://127.0.0.1:{port}", expect=(3,))


@case("Jaeger that answers with [1,1,..] of 120 MB", 512, 60)
def verify_jaeger_of_numbers(bench):
    body = b'{"data":[' + b"1," * 60_000_000 + b"1]}"
    port = answering(lambda path: body, b"")
    return bench.verify(f"jaeger=http://127.0.0.1:{port}", expect=(3,))


@case("Jaeger that answers without end", 512, 60)
def verify_endless_jaeger(bench):
    port = answering(lambda path: b'{"data":["a"]}' if "services" in path else None, b" " * 65_536)
    return bench.verify(f"jaeger=http://127.0.0.1:{port}", expect=(3,))


# -- manifests ------------------------------------------------------------------------------------------------------------


@case("a manifest whose run ends with trace 2^40", 128, 20)
def manifest_with_a_far_end(bench):
    def edit(manifest):
        manifest["eras"][-1]["end"] = 1 << 40
        manifest["selection"]["count"] = 1 << 40

    manifest = bench.edited(edit)
    return bench.run("verify", "--quiet", "--manifest", manifest, "--from", bench.path("run.jsonl"), expect=(3,))


@case("a manifest of 100,000 eras", 256, 20)
def manifest_of_many_eras(bench):
    def edit(manifest):
        first = manifest["eras"][0]
        epoch = first["epoch"]
        eras = [{**first, "epoch": {**epoch, "first": i, "opening": epoch["opening"] + i}, "end": i + 1} for i in range(100_000)]
        manifest["eras"], manifest["selection"]["before"] = eras, epoch["opening"] + 10**9
        eras[-1]["end"] = None

    manifest = bench.edited(edit)
    return bench.run("verify", "--quiet", "--manifest", manifest, "--from", bench.path("run.jsonl"), expect=(3,))


@case("a manifest with a plan of 60 MB of numbers", 256, 30)
def manifest_with_a_plan_of_numbers(bench):
    with open(bench.manifest()) as file:
        manifest = json.load(file)
    digest = next(iter(manifest["plans"]))
    manifest["plans"][digest] = "NUMBERS"
    text = json.dumps(manifest).encode().replace(b'"NUMBERS"', b"[" + b"1," * 30_000_000 + b"1]")
    path = bench.path("numbers.json", text)
    return bench.run("verify", "--quiet", "--manifest", path, "--from", bench.path("run.jsonl"), expect=(3,))


@case("a directory with a pipe in it, merged", 64, 10)
def merge_of_a_pipe(bench):
    folder = bench.path("shards")
    os.makedirs(folder, exist_ok=True)
    with contextlib.suppress(FileExistsError):
        os.mkfifo(os.path.join(folder, "pipe.json"))
    return bench.run("merge", folder, expect=(3,))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("binary", nargs="?", default=os.path.join(ROOT, "target/release/tracegen"))
    parser.add_argument("--only", default="", help="cases with this in their name")
    options = parser.parse_args()
    failed = 0
    print(f"{'case':<34} {'at most':>9} {'took':>9} {'at most':>8} {'took':>8}  verdict")
    for name, sent, mib, seconds, attack in CASES:
        if options.only not in name:
            continue
        with tempfile.TemporaryDirectory() as folder:
            bench = Bench(options.binary, folder, mib, seconds * PATIENCE)
            began = time.monotonic()
            try:
                wrong = attack(bench)
            except Exception as error:  # a case that breaks off does not hold
                wrong = f"{type(error).__name__}: {error}"
            took = time.monotonic() - began
            bench.close()
        peak = bench.peak_kib / 1024
        if not wrong and peak > mib:
            wrong = "too much memory"
        if not wrong and took > seconds * PATIENCE:
            wrong = "too slow"
        failed += bool(wrong)
        print(f"{name:<34} {mib:>5} MiB {peak:>5.0f} MiB {seconds:>6} s {took:>6.1f} s  {wrong or 'holds'}")
        print(f"  {sent}", flush=True)
    print(f"{failed} of {len(CASES)} cases do not hold" if failed else "all cases hold")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
