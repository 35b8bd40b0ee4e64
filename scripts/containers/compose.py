"""Checks of the Compose files, run by `make docker-up` and its companions."""

import contextlib, json, os, re, socket, subprocess, tempfile, threading, time
from pathlib import Path

import images
from engine import PODMAN, Failure, check_confined_process, expect, get, inspect, make, nanoseconds, podman, running, until

# These services have no reason to write, to gain rights or to run as root.
CONFINED = ("tracegen", "otel-collector", "jaeger")
# Each service must be healthy before the services that depend on it start.
ORDER = [
    ("clickhouse", "otel-collector"),
    ("jaeger", "otel-collector"),
    ("clickhouse", "tracegen"),
    ("otel-collector", "tracegen"),
]
# The seconds allowed after SIGTERM.
GRACE = 10


def to_all(name, of_clickhouse):
    return {"tracegen": [name], "otel-collector": [name], "clickhouse": [of_clickhouse]}


# The variables of the README's table with other values than the defaults, and the variables of the parts that follow from
# them.
PASSED = {
    "DATABASE_TYPE": ("clickhouse", {"tracegen": ["DATABASE_TYPE"]}),
    "DATABASE_HOST": ("clickhouse", {"tracegen": ["DATABASE_HOST"]}),
    "DATABASE_PORT": ("8123", {"tracegen": ["DATABASE_PORT"]}),
    "DATABASE_USER": ("reader", to_all("DATABASE_USER", "CLICKHOUSE_USER")),
    "DATABASE_PASSWORD": ("s3cret&<", to_all("DATABASE_PASSWORD", "CLICKHOUSE_PASSWORD")),
    "DATABASE_NAME": ("spans", to_all("DATABASE_NAME", "CLICKHOUSE_DB")),
    "INMEMORY_MAX_TRACES": ("321", {"tracegen": ["INMEMORY_MAX_TRACES"]}),
    "INMEMORY_MAX_MIB": ("123", {"tracegen": ["INMEMORY_MAX_MIB"]}),
    "TRACE_INTERVAL_MIN": ("0.25", {"tracegen": ["TRACE_INTERVAL_MIN"]}),
    "TRACE_INTERVAL_MAX": ("0.75", {"tracegen": ["TRACE_INTERVAL_MAX"]}),
    "TRACE_NUM_WORKERS": ("3", {"tracegen": ["TRACE_NUM_WORKERS"]}),
    "TRACE_FETCH_LIMIT": ("31", {"tracegen": ["TRACE_FETCH_LIMIT"]}),
    "CARD_DISPLAY_LIMIT": ("11", {"tracegen": ["CARD_DISPLAY_LIMIT"]}),
    "STATUS_UPDATE_INTERVAL": ("1.5", {"tracegen": ["STATUS_UPDATE_INTERVAL"]}),
    "JAEGER_URL": ("http://localhost:26686", {"tracegen": ["JAEGER_URL"]}),
    "SERVER_NAMES": ("tracegen,other.example", {"tracegen": ["SERVER_NAMES"]}),
    "SERVER_TOKEN": ("open-sesame", {"tracegen": ["SERVER_TOKEN"]}),
    "LOG_LEVEL": ("debug", {"tracegen": ["LOG_LEVEL"]}),
}
# The published ports by default and otherwise, and what listens behind them.
PORTS = {
    "SERVER_PORT": (8000, 18000, "tracegen", 8000),
    "OTLP_GRPC_PORT": (4317, 24317, "otel-collector", 4317),
    "OTLP_HTTP_PORT": (4318, 24318, "otel-collector", 4318),
    "CLICKHOUSE_HTTP_PORT": (8123, 28123, "clickhouse", 8123),
    "CLICKHOUSE_TCP_PORT": (9000, 29000, "clickhouse", 9000),
    "JAEGER_PORT": (16686, 26686, "jaeger", 16686),
}
# According to the table, these are always the stack's own, or not published.
FIXED = {
    "SERVER_HOST",
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    "JAEGER_OTLP_GRPC_PORT",
    "JAEGER_OTLP_HTTP_PORT",
    "COLLECTOR_HEALTH_PORT",
    "COLLECTOR_METRICS_PORT",
}


def environment(container):
    """Returns the variables of the running process, not the configured ones."""
    pid = inspect(container)["State"]["Pid"]
    words = Path(f"/proc/{pid}/environ").read_bytes().decode().split("\0")
    return dict(word.split("=", 1) for word in words if "=" in word)


def check_confined(parts):
    for service in [service for service in CONFINED if service in parts]:
        check_confined_process(f"docker-compose: {service}", inspect(parts[service])["State"]["Pid"])


# The time when each part was first seen to be healthy, in ns since 1970.
HEALTHY = {}


def check_order(parts):
    """Each part was healthy before its dependants were started."""
    for first, then in [(first, then) for first, then in ORDER if first in parts and then in parts]:
        started = nanoseconds(inspect(parts[then])["State"]["StartedAt"])
        expect(first in HEALTHY, f"docker-compose: {first} never was healthy")
        expect(HEALTHY.get(first, 0) <= started, f"docker-compose: {then} was started before {first} was healthy")


def check_ports(parts, column):
    published = {}
    for service, container in parts.items():
        for inner, outer in (inspect(container)["HostConfig"]["PortBindings"] or {}).items():
            for binding in outer:
                published[int(binding["HostPort"])] = (service, int(inner.split("/")[0]), binding["HostIp"])
    for name, row in PORTS.items():
        service, inner, host = published.pop(row[column], (None, None, None))
        if row[2] in parts:
            where = f"docker-compose: {name}={row[column]}"
            expect((service, inner) == row[2:], f"{where} leads to {service}:{inner}, not to {row[2]}:{row[3]}")
            expect(host == "127.0.0.1", f"{where} is published on {host or 'every address'}, not on 127.0.0.1 alone")
    expect(not published, f"docker-compose: more is published than the README says: {published}")
    check_reach(parts, column)


def check_reach(parts, column):
    """Each port answers on the loopback, and none on another address of this machine."""
    bridges = subprocess.run(["ip", "-4", "addr", "show", "type", "bridge"], capture_output=True, text=True).stdout
    others = re.findall(r"inet (\S+?)/", bridges)
    expect(others, "this machine has no other address to try the ports by")
    for name, row in PORTS.items():
        if row[2] not in parts:
            continue
        for host in ["127.0.0.1", *others]:
            with socket.socket() as probe:
                probe.settimeout(3)
                reached = probe.connect_ex((host, row[column])) == 0
            if host == "127.0.0.1":
                expect(reached, f"docker-compose: nothing answers at 127.0.0.1:{row[column]} ({name})")
            else:
                expect(not reached, f"docker-compose: {host}:{row[column]} ({name}) answers: it should at 127.0.0.1 alone")


def check_variables_arrive(parts, checkout):
    table = Path(checkout, "README.md").read_text().split("| variable | default | with Docker |")[1].split("\n\n")[0]
    names = {name for line in table.splitlines()[2:] for name in re.findall(r"`([A-Z_]{3,})`", line.split("|")[1])}
    different = names ^ (set(PASSED) | set(PORTS) | FIXED)
    expect(not different, f"README.md: variables that are not checked, or not told: {', '.join(sorted(different))}")
    seen = {service: environment(container) for service, container in parts.items()}
    for name, (value, becomes) in PASSED.items():
        for service, inners in becomes.items():
            for inner in inners:
                found = seen[service].get(inner)
                expect(found == value, f"docker-compose: {name}={value} arrives at {service} as {inner}={found}")
    host = seen["tracegen"].get("SERVER_HOST")
    expect(host == "0.0.0.0", f"docker-compose: tracegen listens on {host}, where no port leads")
    endpoint = seen["tracegen"].get("OTEL_EXPORTER_OTLP_ENDPOINT")
    expect(endpoint == "http://otel-collector:4317", f"docker-compose: tracegen sends to {endpoint}, not to the collector")


class Stack:
    """The running stack, with the default values (column 0) or the other ones (column 1)."""

    def __init__(self, column):
        self.column, self.parts = column, running()
        self.user, self.password, self.database = ("reader", "s3cret&<", "spans") if column else ("default", "", "otel")

    def url(self, name):
        return f"http://127.0.0.1:{PORTS[name][self.column]}"

    def select(self, statement):
        login = {"X-ClickHouse-User": self.user, "X-ClickHouse-Key": self.password}
        status, text = get(f"{self.url('CLICKHOUSE_HTTP_PORT')}/?database={self.database}", login, statement.encode())
        if status != 200:
            raise Failure(f"ClickHouse answers {status}: {text[:300]}")
        return text.strip()

    def api(self, path):
        token = {"Authorization": "Bearer open-sesame"} if self.column else {}
        status, text = get(self.url("SERVER_PORT") + path, token)
        if status != 200:
            raise Failure(f"tracegen answers {status} to {path}: {text[:300]}")
        return json.loads(text)

    def check_pages(self):
        """The server is ready and has traces to show."""
        until("tracegen is ready", lambda: get(self.url("SERVER_PORT") + "/readyz")[0] == 200)
        until("tracegen shows traces", lambda: self.api("/api/traces")["traces"])

    def check_names(self):
        """Without a token, only the server's own names are answered, because another name belongs to another site's page."""
        for name, expected in (("localhost", 200), ("tracegen", 200), ("evil.example", 421)):
            status, _ = get(self.url("SERVER_PORT") + "/api/status", {"Host": name})
            expect(status == expected, f"docker-compose: tracegen answers {status} to the name {name}, not {expected}")

    def check_delivery(self):
        """A run of the image's own binary arrives completely, by way of the collector, in ClickHouse and Jaeger."""
        binary = Path(podman("image", "mount", images.TRACEGEN).strip(), "usr/local/bin/tracegen")
        with tempfile.TemporaryDirectory() as folder:
            manifest = f"{folder}/run.json"
            run = [binary, "run", "--seed", "7", "--count", "300", "--quiet", "--protocol", "grpc", "--manifest", manifest]
            run += ["--endpoint", self.url("OTLP_GRPC_PORT"), binary.parents[3] / "scenarios"]
            sent = subprocess.run(run, capture_output=True, text=True, timeout=120)
            if sent.returncode:
                raise Failure(f"traces don't get to the collector: {sent.stderr[-500:]}")
            login = {
                "DATABASE_TYPE": "clickhouse",
                "DATABASE_HOST": "127.0.0.1",
                "DATABASE_PORT": str(PORTS["CLICKHOUSE_HTTP_PORT"][self.column]),
                "DATABASE_USER": self.user,
                "DATABASE_PASSWORD": self.password,
                "DATABASE_NAME": self.database,
            }
            for source in ("clickhouse", f"jaeger={self.url('JAEGER_PORT')}"):

                def verified():
                    verify = [binary, "verify", "--manifest", manifest, "--from", source]
                    said = subprocess.run(verify, env=os.environ | login, capture_output=True, text=True, timeout=120)
                    if said.returncode:
                        raise ValueError((said.stdout + said.stderr).strip()[-500:])
                    return True

                try:
                    until(f"what the collector took is whole in {source.split('=')[0]}", verified, 60)
                except Failure as failure:
                    expect(False, f"otel-collector-config.yaml: {failure}")
        podman("image", "unmount", images.TRACEGEN)

    def check_restart(self):
        """ClickHouse keeps its data after a restart, and spans sent to the collector meanwhile arrive."""
        before = int(self.select("SELECT count() FROM otel_traces"))
        podman("restart", "--time", str(GRACE), self.parts["clickhouse"])
        after = int(until("ClickHouse answers after a restart", lambda: self.select("SELECT count() FROM otel_traces")))
        expect(after >= before, f"docker-compose: of {before} spans ClickHouse has {after} after a restart")
        count = lambda: int(self.select("SELECT count() FROM otel_traces"))
        until("spans come again after ClickHouse was restarted", lambda: count() > after)


def check_ends(parts):
    """SIGTERM ends each part in time, senders first."""
    for service in ("tracegen", "otel-collector", "jaeger", "clickhouse"):
        if service not in parts:
            continue
        begun = time.monotonic()
        subprocess.run([PODMAN, "stop", "--time", str(GRACE), parts[service]], capture_output=True)
        took, status = time.monotonic() - begun, inspect(parts[service])["State"]["ExitCode"]
        expect(status in (0, 143), f"docker-compose: {service} ends with status {status} {took:.1f} s after SIGTERM")


def up(checkout, target, variables=None):
    """Runs `make docker-up`, and records when each part was first healthy."""
    HEALTHY.clear()
    done = threading.Event()

    def watch():
        while not done.wait(0.2):
            # A failure here also occurs in what is being watched, and is reported there.
            with contextlib.suppress(Failure):
                for service, container in running().items():
                    checks = (inspect(container)["State"].get("Health") or {}).get("Log") or []
                    passed = [nanoseconds(check["End"]) for check in checks if check["ExitCode"] == 0]
                    if passed:
                        HEALTHY.setdefault(service, min(passed))

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        said = make(checkout, target, variables)
    finally:
        done.set()
        watcher.join()
    expect(re.search(r"^docker: with (docker|podman)", said, re.M), f"make {target} does not say with which Compose")


def down(checkout, target="docker-down"):
    make(checkout, target)
    expect(not running(), f"make {target} leaves {', '.join(running())} running")


def volumes():
    return set(podman("volume", "ls", "--quiet").split())


def end_all():
    podman("rm", "--all", "--force", "--time", "1", check=False)
    podman("pod", "rm", "--all", "--force", check=False)
    podman("volume", "prune", "--force", check=False)


def check_light(checkout):
    up(checkout, "docker-up-inmemory")
    stack = Stack(0)
    expect(set(stack.parts) == {"tracegen", "otel-collector"}, f"docker-compose.inmemory.yaml: {', '.join(stack.parts)} run")
    until("the collector is healthy", lambda: inspect(stack.parts["otel-collector"])["State"]["Health"]["Status"] == "healthy")
    check_confined(stack.parts)
    check_order(stack.parts)
    check_ports(stack.parts, 0)
    stack.check_pages()
    stack.check_names()
    until("the collector logs what comes", lambda: '"spans"' in logs_of(stack.parts["otel-collector"]))
    check_ends(stack.parts)
    down(checkout)


def logs_of(container):
    done = subprocess.run([PODMAN, "logs", container], capture_output=True, text=True)
    return done.stdout + done.stderr


def check_logs(checkout):
    """`make docker-logs` follows the logs of all parts."""
    child = subprocess.run(["timeout", "10", "make", "-C", checkout, "docker-logs"], capture_output=True, text=True)
    said = child.stdout + child.stderr
    for service in ("tracegen", "otel-collector", "jaeger"):
        expect(service in said, f"make docker-logs has nothing of {service}")


def check_defaults(checkout):
    up(checkout, "docker-up")
    stack = Stack(0)
    expect(set(stack.parts) == {row[2] for row in PORTS.values()}, f"docker-compose.yaml: {', '.join(stack.parts)} run")
    until("all are healthy", lambda: all(inspect(c)["State"]["Health"]["Status"] == "healthy" for c in stack.parts.values()))
    check_confined(stack.parts)
    check_order(stack.parts)
    check_ports(stack.parts, 0)
    stack.check_pages()
    stack.check_delivery()
    stack.check_restart()
    check_logs(checkout)
    spans = int(stack.select("SELECT count() FROM otel_traces"))
    check_ends(stack.parts)
    down(checkout)
    expect(any("clickhouse-data" in volume for volume in volumes()), "make docker-down removes the data")
    up(checkout, "docker-up")
    stack = Stack(0)
    kept = int(until("ClickHouse answers", lambda: stack.select("SELECT count() FROM otel_traces")))
    expect(kept >= spans, f"docker-compose.yaml: of {spans} spans {kept} are left after docker-down and docker-up")
    down(checkout, "docker-clean")
    expect(not volumes(), f"make docker-clean leaves {', '.join(volumes())}")
    for image in (images.TRACEGEN, images.COLLECTOR):
        there = subprocess.run([PODMAN, "image", "exists", image]).returncode == 0
        expect(not there, f"make docker-clean leaves the image {image}")


def check_variables(checkout):
    variables = {name: value for name, (value, _) in PASSED.items()} | {name: str(row[1]) for name, row in PORTS.items()}
    up(checkout, "docker-up", variables)
    stack = Stack(1)
    check_variables_arrive(stack.parts, checkout)
    check_ports(stack.parts, 1)
    stack.check_pages()
    stack.check_delivery()
    make(checkout, "docker-clean", variables)
