#!/usr/bin/env python3
"""Attacks a tracegen binary on loopback, and prints what was sent, how much memory and time it took, and the result.

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
    """A case: what is sent, and the maximum of MiB and seconds that it may take."""

    def add(attack):
        CASES.append((attack.__name__.replace("_", " "), sent, mib, seconds, attack))
        return attack

    return add


class Process:
    """A tracegen process whose maximum memory and duration are measured."""

    def __init__(self, binary, arguments, most_mib, **pipes):
        environment = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/")}
        environment.update(pipes.pop("environment", {}))
        pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE} | pipes
        self.child = subprocess.Popen([binary, *arguments], env=environment, **pipes)
        self.peak_kib, self.most_kib = 0, most_mib << 10
        self.lines, self.spoken = [], threading.Event()
        threading.Thread(target=self.watch, daemon=True).start()
        self.listener = threading.Thread(target=self.listen, daemon=True)
        self.listener.start()

    def watch(self):
        while self.child.poll() is None:
            with contextlib.suppress(OSError):
                with open(f"/proc/{self.child.pid}/status") as status:
                    for line in status:
                        if line.startswith("VmHWM:"):
                            self.peak_kib = max(self.peak_kib, int(line.split()[1]))
            if self.peak_kib > 4 * self.most_kib:
                # The attacked process must not take down the machine.
                self.child.kill()
            time.sleep(0.005)

    def listen(self):
        for line in self.child.stderr:
            if len(self.lines) < 1_000:
                self.lines.append(line.decode(errors="replace").strip())
            self.spoken.set()

    def said(self, start, seconds=30):
        """Returns the remainder of the first line with that beginning."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            for line in list(self.lines):
                if line.startswith(start):
                    return line[len(start):]
            time.sleep(0.02)
        raise AssertionError(f"it did not say `{start}`: {self.lines[:5]}")

    def end(self, seconds):
        """Returns the exit status, or None if the process did not end."""
        try:
            self.child.wait(timeout=seconds)
            self.listener.join(timeout=10)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()
            return None
        return self.child.returncode


class Bench:
    """The tools of a case."""

    def __init__(self, binary, folder, mib, seconds):
        self.binary, self.folder, self.mib, self.seconds = binary, folder, mib, seconds
        self.peak_kib, self.processes = 0, []
        # Notes that are printed beside the verdict.
        self.note = None

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
        """Runs to the end, and returns what is wrong."""
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

    # A run of the examples in a file of JSON lines, and its manifest.
    def manifest(self):
        path = self.path("run.json")
        if not os.path.exists(path):
            subprocess.run(
                [self.binary, "run", "--seed", "42", "--count", "50", "--start", "2026-01-01", "--rate", "10/s", "--quiet"]
                + ["--exporter", f"file={self.path('run.jsonl')}", "--manifest", path]
                + [os.path.join(ROOT, "scenarios/examples/ecommerce_order.yaml")],
                check=True,
                capture_output=True,
            )
        return path

    def edited(self, edit):
        with open(self.manifest()) as file:
            manifest = json.load(file)
        edit(manifest)
        return self.path("edited.json", json.dumps(manifest))

    def compile(self, text, expect=(0, 1)):
        folder = self.path("scenarios")
        os.makedirs(folder, exist_ok=True)
        self.path("scenarios/a.yaml", text)
        return self.run("compile", "--check", "--format", "json", folder, expect=expect, stdout=subprocess.DEVNULL)

    def verify(self, source, expect=(0, 1, 3)):
        return self.run("verify", "--quiet", "--manifest", self.manifest(), "--from", source, expect=expect)

    @contextlib.contextmanager
    def sink(self, *arguments):
        """Starts a sink, and yields its address and the process."""
        process = self.start("sink", "--listen", "127.0.0.1:0", "--format=json", *arguments)
        host, port = process.said("tracegen: listening at ").rsplit(":", 1)
        try:
            yield (host, int(port)), process
        finally:
            process.child.send_signal(signal.SIGINT)
            process.end(30)

    @contextlib.contextmanager
    def serve(self, *arguments, text=None, **variables):
        """Starts a server of the shipped scenarios, or of a text, and yields its address and the process. It is ended within 10 s."""
        folder = os.path.join(ROOT, "scenarios")
        if text is not None:
            folder = self.path("library")
            os.makedirs(folder, exist_ok=True)
            self.path("library/a.yaml", text)
        variables = {"SERVER_PORT": "0", "LOG_LEVEL": "error"} | variables
        process = self.start("serve", folder, "--seed", "42", *arguments, environment=variables)
        url = process.said("tracegen ", seconds=60).split("http://")[1].split()[0].rstrip("/")
        host, port = url.rsplit(":", 1)
        address = host, int(port)
        yield address, process
        process.child.send_signal(signal.SIGTERM)
        began = time.monotonic()
        assert process.end(30) is not None, "SIGTERM did not end it"
        assert time.monotonic() - began < 12, "SIGTERM took more than 10 s to end it"


def ask(address, path, method="GET", body=b"", timeout=60, **headers):
    """Returns the status and body of an answer."""
    head = f"{method} {path} HTTP/1.1\r\nhost: 127.0.0.1:{address[1]}\r\nconnection: close\r\ncontent-length: {len(body)}\r\n"
    head += "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    with socket.create_connection(address, timeout=timeout) as stream:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            stream.sendall(head.encode() + b"\r\n" + body)
        answer = b""
        with contextlib.suppress(ConnectionResetError):
            while block := stream.recv(1 << 20):
                answer += block
    head, _, content = answer.partition(b"\r\n\r\n")
    return (int(head.split()[1]) if head.startswith(b"HTTP/1.1 ") else 0), content


def at_once(threads, work):
    """Returns the results of `work` for 0, 1, .., run at the same time."""
    results = [None] * threads

    def one(i):
        results[i] = work(i)

    all_threads = [threading.Thread(target=one, args=(i,)) for i in range(threads)]
    [thread.start() for thread in all_threads]
    [thread.join() for thread in all_threads]
    return results


def gzipped_repeat(head, unit, times, tail):
    """Compresses `head`, `unit` repeated, and `tail` with gzip, without holding the text in memory."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    parts = [packer.compress(head)]
    block = unit * 10_000
    parts += [packer.compress(block) for _ in range(times // 10_000)]
    parts += [packer.compress(tail), packer.flush()]
    return b"".join(parts)


def post(address, body, kind="application/json", encoding=None, timeout=60):
    """Sends an OTLP/HTTP request, and returns the status."""
    head = f"POST /v1/traces HTTP/1.1\r\nhost: x\r\ncontent-type: {kind}\r\ncontent-length: {len(body)}\r\n"
    head += f"content-encoding: {encoding}\r\n" if encoding else ""
    with socket.create_connection(address, timeout=timeout) as stream:
        stream.sendall(head.encode() + b"connection: close\r\n\r\n" + body)
        answer = stream.recv(100)
    return int(answer.split()[1]) if answer.startswith(b"HTTP/1.1 ") else 0


def field(number, content):
    """Makes a protobuf field that holds a message, a string or bytes."""
    length, n = b"", len(content)
    while n >= 0x80:
        length, n = length + bytes([n & 0x7F | 0x80]), n >> 7
    return bytes([number << 3 | 2]) + length + bytes([n]) + content


def answering(head, block, seconds=60, status=200):
    """A server that answers a request with what `head` says to its path and body. Where that is None, or bytes in a tuple, `block`
    follows again and again. Its port."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_any(self):
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            answer = head(self.path + body.decode(errors="replace"))
            endless = answer is None or isinstance(answer, tuple)
            answer = answer[0] if isinstance(answer, tuple) else answer
            self.send_response(status)
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


@case("ClickHouse that answers with 500 and an endless text", 256, 60)
def verify_endless_error(bench):
    port = answering(lambda path: None, b"Code: 60. DB::Exception: x" * 2_500, status=500)
    return bench.verify(f"clickhouse=http://127.0.0.1:{port}", expect=(3,))


def text(content):
    """Encodes a text in RowBinary."""
    return field(0, content)[1:]


def clickhouse(row, block):
    """A server with the collector's tables whose first row of spans never ends; the resource's attributes begin with `row`."""
    name = "LowCardinality(String)"
    a_map = f"Map({name}, String)"
    tables = [("Timestamp", "DateTime64(9)"), ("SpanName", name), ("SpanKind", name), ("ServiceName", name)]
    tables += [(column, "String") for column in ("TraceId", "SpanId", "ParentSpanId", "TraceState", "ScopeName")]
    tables += [("ScopeVersion", "String"), ("StatusMessage", "String"), ("StatusCode", name), ("Duration", "UInt64")]
    tables += [("ResourceAttributes", a_map), ("SpanAttributes", a_map), ("Start", "DateTime"), ("End", "DateTime")]
    tables += [("Events.Timestamp", "Array(DateTime64(9))"), ("Events.Name", f"Array({name})")]
    tables += [(f"Links.{column}", "Array(String)") for column in ("TraceId", "SpanId", "TraceState")]
    tables += [(f"{table}.Attributes", f"Array({a_map})") for table in ("Events", "Links")]
    known = b"".join(text(column.encode()) + text(kind.encode()) for column, kind in tables)
    first = text(b"0" * 31 + b"1") + bytes(8) + bytes(6) + row
    return answering(lambda asked: known if "system.columns" in asked else (first,), block)


# A length of 2^42.
MANY = b"\x80\x80\x80\x80\x80\x80\x01"


@case("ClickHouse with a span whose attribute never ends", 256, 60)
def verify_endless_row(bench):
    port = clickhouse(b"\x01" + MANY, b"x" * 65_536)
    return bench.verify(f"clickhouse=http://127.0.0.1:{port}", expect=(3,))


@case("ClickHouse with a span of empty attributes without end", 384, 60)
def verify_endless_attributes(bench):
    port = clickhouse(MANY, bytes(65_536))
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


@case("a manifest with a plan file of 31 MB of numbers", 768, 60)
def manifest_with_numbers_in_a_plan(bench):
    with open(bench.manifest()) as file:
        manifest = json.load(file)
    digest = next(iter(manifest["plans"]))
    manifest["plans"][digest]["program"]["exprs"][0] = {"op": "const", "value": {"list": ["NUMBERS"]}}
    text = json.dumps(manifest).encode().replace(b'"NUMBERS"', b"1," * 15_500_000 + b"1")
    return bench.run("verify", "--quiet", "--manifest", bench.path("numbers.json", text), "--from", bench.path("run.jsonl"), expect=(3,))


@case("a manifest with 5 million weights", 384, 30)
def manifest_of_many_weights(bench):
    with open(bench.manifest()) as file:
        manifest = json.load(file)
    manifest["eras"][0]["weights"] = "WEIGHTS"
    weights = ",".join(f'"{i:x}":1' for i in range(5_000_000)).encode()
    text = json.dumps(manifest).encode().replace(b'"WEIGHTS"', b"{" + weights + b"}")
    return bench.run("verify", "--quiet", "--manifest", bench.path("weights.json", text), "--from", bench.path("run.jsonl"), expect=(3,))


@case("a manifest with a million plans", 256, 30)
def manifest_of_many_plans(bench):
    with open(bench.manifest()) as file:
        manifest = json.load(file)
    manifest["plans"] = {f"{i:x}": 1 for i in range(1_000_000)}
    path = bench.path("plans.json", json.dumps(manifest))
    return bench.run("verify", "--quiet", "--manifest", path, "--from", bench.path("run.jsonl"), expect=(3,))


@case("shards that made 2^63 - 1 traces each, merged", 64, 10)
def merge_beyond_64_bits(bench):
    names = []
    for k in range(3):
        names.append(bench.path(f"{k}.json"))
        subprocess.run(
            [bench.binary, "run", "--seed", "42", "--count", "9", "--start", "2026-01-01", "--rate", "10/s", "--quiet", "--shard", f"{k}/3"]
            + ["--exporter", "none", "--manifest", names[-1], os.path.join(ROOT, "scenarios/examples/ecommerce_order.yaml")],
            check=True,
            capture_output=True,
        )
        with open(names[-1]) as file:
            manifest = json.load(file)
        manifest["ended"]["traces"] = (1 << 63) - 1
        bench.path(f"{k}.json", json.dumps(manifest))
    process = bench.start("merge", *names)
    wrong = None if process.end(bench.seconds) == 3 else "it was merged"
    return wrong or (None if any("can be counted" in line for line in process.lines) else f"it said {process.lines}")


@case("a directory with a pipe in it, merged", 64, 10)
def merge_of_a_pipe(bench):
    folder = bench.path("shards")
    os.makedirs(folder, exist_ok=True)
    with contextlib.suppress(FileExistsError):
        os.mkfifo(os.path.join(folder, "pipe.json"))
    return bench.run("merge", folder, expect=(3,))


# -- compile --------------------------------------------------------------------------------------------------------------


def scenario(variables, span):
    return f"name: a\nvars:\n{variables}root_span:\n  service: s\n  operation: o\n{span}"


def doubling(levels, first="aaaaaaaaaa"):
    return f"  v0: {first}\n" + "".join(f'  v{i}: "<<v{i - 1}>><<v{i - 1}>>"\n' for i in range(1, levels + 1))


def attributes(count, value):
    return "  attributes:\n" + "".join(f"    k{i}: {value}\n" for i in range(count))


def many_links():
    """Makes 300 keys and 900 globs, which can only be told apart by comparing all of them."""
    span = "root_span: {service: s, operation: o"
    keys = (f"- {{name: e{i}, {span}, export_context_as: \"<<random.uuid>>{i}{'ab' * 220}<<random.uuid>>\"}}}}" for i in range(300))
    globs = (f"- {{name: l{i}, {span}, link_from_context: \"*{'*a' * 240}{i}*\"}}}}" for i in range(900))
    return "scenarios:\n" + "\n".join([*keys, *globs]) + "\n"


@case("734 bytes: a text that is doubled 27 times", 96, 10)
def compile_a_text_that_doubles(bench):
    return bench.compile(scenario(doubling(27), ""), expect=(1,))


@case("21 KB: a text of 650 KB in 1,000 attributes", 192, 10)
def compile_a_long_text_often(bench):
    return bench.compile(scenario(doubling(16), attributes(1_000, "<<v16>>x")), expect=(1,))


@case("550 KB: a text of 500 KB, aliased 2,000 times", 96, 10)
def compile_aliases_of_a_text(bench):
    long = f'  long: &long "{"x" * 500_000}"\n'
    return bench.compile(scenario(long, attributes(2_000, "*long")), expect=(1,))


@case("210 KB: a list of 50,000, looked through 2,000 times", 192, 10)
def compile_a_long_list_often(bench):
    long = f"  list: [{'1, ' * 50_000}]\n"
    return bench.compile(scenario(long, attributes(2_000, "<<1 in list>>")), expect=(1,))


@case("2 KB: a key of 2^60 parts", 96, 10)
def compile_a_key_of_many_parts(bench):
    return bench.compile(scenario(doubling(60, "<<random.uuid>>"), '  export_context_as: "<<v60>>"\n'), expect=(1,))


@case("16 MB in 100,000 levels of brackets, and ten aliases of ten aliases of ..", 256, 10)
def compile_broken_yaml(bench):
    bomb = "a0: &a0 [x, x]\n" + "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 12))
    return bench.compile("[" * 16_000_000, expect=(1,)) or bench.compile(bomb, expect=(1,))


@case("590 KB: 300 keys and 900 globs that are alike", 192, 10)
def link_keys_that_are_alike(bench):
    return bench.compile(many_links(), expect=(1,))


@case("1,500 keys, each with a scenario that links to it, and one with all", 192, 10)
def link_keys_that_are_not(bench):
    span = "root_span: {service: s, operation: o"
    text = "scenarios:\n"
    for i in range(1_500):
        text += f'- {{name: e{i}, {span}, export_context_as: "k{i}-<<random.uuid>>"}}}}\n'
        text += f'- {{name: l{i}, {span}, link_from_context: "k{i}-*"}}}}\n'
        text += f'- {{name: a{i}, {span}, link_from_context: "k*"}}}}\n'
    return bench.compile(text, expect=(0,))


@case("a plan file with 20,000 scenarios that follow a link with a million sources", 768, 30)
def link_many_to_many_in_a_plan(bench):
    folder = bench.path("linked")
    os.makedirs(folder)
    span = "root_span: {service: s, operation: o"
    bench.path(
        "linked/a.yaml",
        f'scenarios:\n- {{name: e, {span}, export_context_as: "k-<<random.uuid>>"}}}}\n- {{name: l, {span}, link_from_context: "k*"}}}}\n',
    )
    path = bench.path("linked.plan")
    subprocess.run([bench.binary, "compile", folder, "-o", path], check=True, capture_output=True)
    with open(path) as file:
        document = json.load(file)
    program = document["program"]
    program["links"][0]["sources"] *= 1_000_000
    linking = next(scenario for scenario in program["scenarios"] if program["texts"][scenario["name"]] == "l")
    block = program["blocks"][linking["root"]]
    for i in range(20_000):
        program["scenarios"].append(linking | {"name": len(program["texts"]), "root": len(program["blocks"])})
        program["texts"].append(f"linking {i}")
        program["blocks"].append(block)
    # Its digest is wrong, which is noticed only after everything else was checked.
    path = bench.path("many.plan", json.dumps(document))
    process = bench.start("run", path, "--count", "1", "--exporter", "none")
    status = process.end(bench.seconds)
    wrong = "it did not end in time" if status is None else None
    return wrong or (None if any("digest" in line for line in process.lines) else f"it said {process.lines[:3]}")


@case("a plan file of 31 MB of numbers", 512, 30)
def plan_of_numbers(bench):
    text = b'{"format":"tracegen plan","version":1,"digest":"","program":{"exprs":[{"op":"const","value":{"list":['
    path = bench.path("numbers.plan", text + b"1," * 15_500_000 + b"1]}}]}}")
    return bench.run("run", path, "--count", "1", "--exporter", "none", expect=(1, 2, 3))


# -- playground -----------------------------------------------------------------------------------------------------------


@case("texts and links that explode, for the playground, 8 at once, five times", 256, 60)
def playground_of_bombs(bench):
    bombs = [scenario(doubling(27), ""), many_links(), scenario(doubling(16), attributes(1_000, "<<v16>>x"))]
    with bench.serve() as (address, _):
        for _ in range(5):
            answers = at_once(8, lambda i: ask(address, "/api/playground", "POST", bombs[i % 3].encode()))
            if not {status for status, _ in answers} <= {200, 503}:
                return f"statuses {[status for status, _ in answers]}"
        return None if ask(address, "/healthz")[0] == 200 else "it does not answer any more"


@case("a text for the playground beside a library of 25 MB, 4 at once: 2 s each", 2_048, 60)
def playground_in_a_large_library(bench):
    span = "{service: t, operation: 'o <<random.int(1, 9)>>', attributes: {a: '<<random.uuid>> <<v>>', b: '<<v>>-<<v>>'}}"
    one = "- {name: NAME, vars: {v: '<<random.int(1, 9)>>'}, root_span: {service: s, operation: o, calls: [CALLS]}}\n"
    one = one.replace("CALLS", ", ".join([span] * 40))
    parts = ["scenarios:\n" + "".join(one.replace("NAME", f"n{part}x{i}") for i in range(1_900)) for part in range(3)]
    os.makedirs(bench.path("library"), exist_ok=True)
    for part, text in enumerate(parts[1:], 1):
        bench.path(f"library/{part}.yaml", text)
    with bench.serve("--rate", "1/s", text=parts[0]) as (address, _):

        def timed(i):
            began = time.monotonic()
            status, body = ask(address, "/api/playground", "POST", scenario("  v: 1\n", f"  description: '{i}'\n").encode())
            return status, b"E0610" in body, time.monotonic() - began

        answers = at_once(4, timed)
        bench.note = ", ".join(f"{status}{' E0610' if late else ''} after {took:.2f} s" for status, late, took in answers)
        if not {status for status, _, _ in answers} <= {200, 503}:
            return bench.note
        slowest = max(took for _, _, took in answers)
    # Two compilations run at a time, for 2 s each; others wait for 1 s.
    return None if slowest < 2.5 * PATIENCE else bench.note


# -- serve ----------------------------------------------------------------------------------------------------------------


@case("510 bodies of 1 MiB at once, to an address that is none", 128, 30)
def serve_bodies_for_nothing(bench):
    body = b"x" * MIB
    with bench.serve() as (address, _):
        statuses = set(at_once(510, lambda i: ask(address, "/api/none", "POST", body)[0]))
    return None if statuses <= {0, 404, 503} else f"statuses {statuses}"


@case("510 bodies of 1 MiB at once, for the playground", 256, 90)
def serve_bodies(bench):
    body = b"[" * MIB
    with bench.serve() as (address, _):
        statuses = set(at_once(510, lambda i: ask(address, "/api/playground", "POST", body)[0]))
        alive = ask(address, "/healthz")[0]
    return None if statuses <= {0, 200, 503} and alive == 200 else f"statuses {statuses}, then {alive}"


@case("a burst of 800 requests, each on a connection of its own", 192, 30)
def serve_a_burst(bench):
    with bench.serve() as (address, _):
        statuses = at_once(800, lambda i: ask(address, "/api/status")[0])
    return None if set(statuses) == {200} else f"{statuses.count(200)} of 800 were answered"


@case("1,000 silent connections, then a request", 128, 30)
def serve_silent_connections(bench):
    with bench.serve() as (address, _):
        silent = [socket.create_connection(address, timeout=10) for _ in range(1_000)]
        status, _ = ask(address, "/", timeout=20)
        [stream.close() for stream in silent]
    return None if status == 200 else f"status {status}"


@case("200 clients that ask for 200 pages each, and read none", 384, 60)
def serve_clients_that_do_not_read(bench):
    with bench.serve("--rate", "20/s") as (address, _):
        time.sleep(1)
        head = f"GET /api/openapi.json HTTP/1.1\r\nhost: 127.0.0.1:{address[1]}\r\n\r\n".encode()
        deaf = []
        for _ in range(200):
            stream = socket.create_connection(address, timeout=10)
            stream.setblocking(False)
            with contextlib.suppress(OSError):
                stream.send(head * 200)
            deaf.append(stream)
        status, _ = ask(address, "/", timeout=20)
        [stream.close() for stream in deaf]
    return None if status in (200, 503) else f"status {status}"


@case("200 wrong tokens at once, then the right one", 128, 60)
def serve_wrong_tokens(bench):
    with bench.serve(SERVER_TOKEN="right") as (address, _):
        guesses = threading.Thread(target=at_once, args=(200, lambda i: ask(address, "/api/status", authorization=f"Bearer wrong{i}")))
        guesses.start()
        time.sleep(0.5)
        began = time.monotonic()
        status, _ = ask(address, "/api/status", authorization="Bearer right")
        took = time.monotonic() - began
        guesses.join()
    return None if status == 200 and took < 2 * PATIENCE else f"status {status} after {took:.1f} s"


@case("traces of 130 MB, five a second for 10 s, in 256 MiB of memory", 1_024, 30)
def serve_large_traces(bench):
    # The text is made at run time, because a constant would only be in the plan.
    span = f"{{service: s, operation: o, attributes: {{{', '.join(f'a{i}: <<long>>x<<random.uuid>>' for i in range(50))}}}}}"
    calls = "\n".join(["  - &c " + span] + ["  - *c"] * 43)
    text = f"name: large\nvars:\n  long: <<random.uuid>>{'x' * 60_000}\nroot_span:\n  service: s\n  operation: o\n  calls:\n{calls}\n"
    with bench.serve("--rate", "5/s", text=text) as (address, _):
        most = 0
        for _ in range(20):
            time.sleep(0.5)
            _, body = ask(address, "/api/status")
            memory = json.loads(body)["store"]["memory"]
            most = max(most, memory["bytes"])
            if memory["bytes"] > memory["capacity_bytes"]:
                return f"{memory}"
        _, page = ask(address, "/status")
    bench.note = f"kept {most >> 20} MiB, {memory['traces']} traces"
    if b"of 268 MB" not in page:
        return "the status page does not say the bound"
    return None if memory["traces"] else f"nothing was kept: {memory}"


@case("a trace with 1,500 attributes that are one text of 500 KB, asked for 20 times", 256, 60)
def serve_a_text_that_a_trace_repeats(bench):
    text = f'vars: {{v: "{"y" * 500_000}"}}\nname: x\nroot_span:\n  service: s\n  operation: o\n{attributes(1_500, "<<v>>")}'
    with bench.serve("--rate", "1/s", text=text) as (address, _):
        until = time.monotonic() + 30
        while not (traces := json.loads(ask(address, "/api/traces?limit=1")[1])["traces"]):
            assert time.monotonic() < until, "no trace came"
            time.sleep(0.2)
        trace = traces[0]["trace_id"]
        statuses = set()
        for path in (f"/api/traces/{trace}", f"/traces/{trace}", f"/api/traces/{trace}/links"):
            statuses |= set(at_once(7, lambda i: ask(address, path)[0]))
    return None if statuses == {413} else f"statuses {statuses}"


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
        print(f"  {sent}" + (f": {bench.note}" if bench.note else ""), flush=True)
    print(f"{failed} of {len(CASES)} cases do not hold" if failed else "all cases hold")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
