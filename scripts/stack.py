#!/usr/bin/env python3
"""The stack of docker-compose/docker-compose.yaml without Docker: ClickHouse, Jaeger, the collector and `tracegen serve`.

    stack.py up         start what is not running, and wait until it answers
    stack.py status     what is running, what has died, and where; 0: all is ready, 1: something is wrong, 3: nothing is up
    stack.py down       end it all; the data stays
    stack.py clean      the same, and remove data and logs

STACK_DIR (.stack) holds logs, data and pid files, STACK_TRACEGEN (target/release/tracegen) is what serves. The ports are
variables, too: PORTS below has them with their defaults; those that a stack was started with hold until it is down.
Everything else that `tracegen serve` reads is passed on to it.

A part holds a lock on its pid file, which it inherits and which ends with it: no stale file, and no other process that got
the same number, is ever taken for it.
"""
import contextlib, fcntl, json, os, re, shutil, signal, socket, subprocess, sys, time, urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import Callable

ROOT = Path(__file__).resolve().parent.parent
STACK = Path(os.environ.get("STACK_DIR") or ROOT / ".stack").absolute()
# The seconds allowed for a part to answer, and to end when it is asked to.
PATIENCE, GRACE = 180, 20

PORTS = {
    "SERVER_PORT": 8000,
    "OTLP_GRPC_PORT": 4317,
    "OTLP_HTTP_PORT": 4318,
    "COLLECTOR_HEALTH_PORT": 13133,
    "COLLECTOR_METRICS_PORT": 8888,
    "CLICKHOUSE_HTTP_PORT": 8123,
    "CLICKHOUSE_TCP_PORT": 9000,
    "JAEGER_PORT": 16686,
    "JAEGER_OTLP_GRPC_PORT": 14317,
    "JAEGER_OTLP_HTTP_PORT": 14318,
}

# The ports of the running stack, if there is one.
kept = {}

# Requests to this machine go without a proxy.
LOCAL = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Failure(Exception):
    """An error whose message is shown as it is; the exit status is 1."""


def say(text):
    print(f"stack: {text}", file=sys.stderr, flush=True)


def port(name):
    if name in kept:
        return kept[name]
    text = os.environ.get(name) or str(PORTS[name])
    if not text.isdigit() or not 0 < int(text) < 65536:
        raise Failure(f"{name}=`{text}`: expected a port, 1 to 65535")
    return int(text)


def at(name):
    return f"127.0.0.1:{port(name)}"


def tool(name):
    """Returns what scripts/NAME.sh makes and prints, unless its variable is set."""
    variable = f"TRACEGEN_{name.upper()}"
    if not os.environ.get(variable):
        made = subprocess.run([ROOT / f"scripts/{name}.sh"], stdout=subprocess.PIPE, text=True)
        if made.returncode:
            raise Failure(f"{name} can't be had; scripts/{name}.sh says why above")
        os.environ[variable] = made.stdout.strip().split("=", 1)[1]
    return os.environ[variable]


def tracegen():
    binary = os.environ.get("STACK_TRACEGEN") or ROOT / "target/release/tracegen"
    if not os.access(binary, os.X_OK):
        raise Failure(f"{binary} is not there: `make build` makes it, STACK_TRACEGEN names another one")
    return binary


def clickhouse():
    user, password = os.environ.get("DATABASE_USER") or "default", os.environ.get("DATABASE_PASSWORD", "")
    login = ["--default-password", password] if user == "default" else ["--user", user, "--password", password]
    where = ["--path", STACK / "clickhouse", "--port", port("CLICKHOUSE_HTTP_PORT"), "--tcp-port", port("CLICKHOUSE_TCP_PORT")]
    return [tool("clickhouse"), ROOT / "scripts/clickhouse-server.py", *where, *login], {}


def jaeger():
    ports = ["JAEGER_PORT", "JAEGER_OTLP_GRPC_PORT", "JAEGER_OTLP_HTTP_PORT"]
    return [tool("jaeger"), "--config", ROOT / "scripts/jaeger.yaml"], {name: port(name) for name in ports}


def collector():
    return [tool("collector"), "--config", ROOT / "otel-collector/otel-collector-config.yaml"], {
        "OTLP_GRPC_ENDPOINT": at("OTLP_GRPC_PORT"),
        "OTLP_HTTP_ENDPOINT": at("OTLP_HTTP_PORT"),
        "HEALTH_ENDPOINT": at("COLLECTOR_HEALTH_PORT"),
        "METRICS_HOST": "127.0.0.1",
        "METRICS_PORT": port("COLLECTOR_METRICS_PORT"),
        "CLICKHOUSE_ENDPOINT": f"http://{at('CLICKHOUSE_HTTP_PORT')}",
        "JAEGER_ENDPOINT": at("JAEGER_OTLP_GRPC_PORT"),
    }


def serve():
    return [tracegen(), "serve"], {
        "SERVER_PORT": port("SERVER_PORT"),
        "DATABASE_TYPE": os.environ.get("DATABASE_TYPE") or "clickhouse",
        "DATABASE_HOST": "127.0.0.1",
        "DATABASE_PORT": port("CLICKHOUSE_HTTP_PORT"),
        "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": f"http://{at('OTLP_GRPC_PORT')}",
        "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "grpc",
        "JAEGER_URL": f"http://localhost:{port('JAEGER_PORT')}",
    }


def serve_address():
    host = os.environ.get("SERVER_HOST") or "127.0.0.1"
    return f"{'127.0.0.1' if host in ('0.0.0.0', '::', 'localhost') else host}:{port('SERVER_PORT')}"


@dataclass
class Part:
    name: str
    # The arguments, and variables beside those of this process.
    command: Callable
    # The URL that answers 200 when the part is ready.
    url: Callable
    # The variables of the part's ports.
    ports: list
    log: Path = field(init=False)
    pid_file: Path = field(init=False)

    def __post_init__(self):
        self.log, self.pid_file = STACK / f"logs/{self.name}.log", STACK / f"{self.name}.pid"

    def pid(self):
        """Returns the id of the running process, or None."""
        try:
            with open(self.pid_file) as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except FileNotFoundError:
            return None
        except BlockingIOError:
            return int(self.pid_file.read_text() or 0)
        return None

    def is_ready(self):
        try:
            with LOCAL.open(f"http://{self.url()}", timeout=2) as answer:
                return answer.status == 200
        except OSError:
            return False

    def has_died(self):
        return self.pid_file.exists() and not self.pid()

    def start(self):
        command, variables = self.command()
        with open(self.pid_file, "w") as lock, open(self.log, "a") as log:
            fcntl.flock(lock, fcntl.LOCK_EX)
            subprocess.Popen(
                [str(word) for word in command],
                env=os.environ | {name: str(value) for name, value in variables.items()},
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=[lock.fileno()],
                # The part is in a group of its own, so that Ctrl-C in this terminal does not reach it.
                start_new_session=True,
                preexec_fn=lambda: os.write(lock.fileno(), str(os.getpid()).encode()),
            )
        begun = time.monotonic()
        while not self.is_ready():
            if not self.pid():
                raise Failure(f"{self.name} ended while it started; {self.last_words()}")
            if time.monotonic() - begun > PATIENCE:
                raise Failure(f"{self.name} does not answer after {PATIENCE} s; {self.last_words()}")
            time.sleep(0.05)
        say(f"{self.name} is ready after {time.monotonic() - begun:.1f} s")

    def stop(self):
        """Ends the part and everything that it started."""
        if pid := self.pid():
            self.signal(pid, signal.SIGTERM)
            begun = time.monotonic()
            while self.pid() and time.monotonic() - begun < GRACE:
                time.sleep(0.02)
            if self.pid():
                say(f"{self.name} does not end within {GRACE} s and is killed")
                self.signal(pid, signal.SIGKILL)
            while self.pid():
                time.sleep(0.02)
            say(f"{self.name} has ended")
        self.pid_file.unlink(missing_ok=True)

    def signal(self, pid, number):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, number)

    def last_words(self):
        lines = self.log.read_text(errors="replace").splitlines() if self.log.exists() else []
        shown = "".join(f"\n    {line[:200]}" for line in lines[-3:])
        return f"{os.path.relpath(self.log)} ends with{shown or ' nothing'}"


# The parts in the order in which they are started.
PARTS = [
    Part(
        "clickhouse",
        clickhouse,
        lambda: f"{at('CLICKHOUSE_HTTP_PORT')}/ping",
        ["CLICKHOUSE_HTTP_PORT", "CLICKHOUSE_TCP_PORT"],
    ),
    Part(
        "jaeger",
        jaeger,
        lambda: f"{at('JAEGER_PORT')}/api/services",
        ["JAEGER_PORT", "JAEGER_OTLP_GRPC_PORT", "JAEGER_OTLP_HTTP_PORT"],
    ),
    Part(
        "collector",
        collector,
        lambda: at("COLLECTOR_HEALTH_PORT"),
        ["OTLP_GRPC_PORT", "OTLP_HTTP_PORT", "COLLECTOR_HEALTH_PORT", "COLLECTOR_METRICS_PORT"],
    ),
    Part("tracegen", serve, lambda: f"{serve_address()}/readyz", ["SERVER_PORT"]),
]


def in_use(number):
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", number))
        except OSError:
            return True
    return False


def holder(number):
    """Returns who listens at a port, as far as this user may know."""
    tools = {
        r"p(?P<pid>\d+)\nc(?P<name>.*)": ["lsof", "-nP", f"-iTCP:{number}", "-sTCP:LISTEN", "-F", "pc"],
        r'users:\(\("(?P<name>[^"]*)",pid=(?P<pid>\d+)': ["ss", "-Hltnp", f"sport = :{number}"],
    }
    for pattern, command in tools.items():
        if shutil.which(command[0]):
            out = subprocess.run(command, capture_output=True, text=True).stdout
            if found := re.search(pattern, out):
                return f"{found['name']} (pid {found['pid']})"
    return "another process"


def check_ports(parts):
    taken = []
    for part in parts:
        for name in part.ports:
            number = port(name)
            if in_use(number):
                other = number + 20000 if number < 40000 else number - 20000
                held = f"port {number}, for {part.name}, is in use by {holder(number)}"
                taken.append(f"{held}; end that, or take another port: {name}={other}")
    if taken:
        raise Failure("\n       ".join(taken))


def up():
    for name, number in kept.items():
        wanted = os.environ.get(name) or str(number)
        if wanted != str(number):
            raise Failure(f"it runs with {name}={number}; for {wanted}, end it first: make stack-down")
    waiting = [part for part in PARTS if not part.pid()]
    if not waiting:
        say("it is up already")
        return show()
    for part in waiting:
        if part.has_died():
            say(f"{part.name} had died and is started again")
    check_ports(waiting)
    tracegen()
    for name in ("clickhouse", "jaeger", "collector"):
        tool(name)
    STACK.joinpath("logs").mkdir(exist_ok=True)
    STACK.joinpath("ports.json").write_text(json.dumps({name: port(name) for name in PORTS}))
    begun = []
    try:
        for part in waiting:
            begun.insert(0, part)
            part.start()
    except BaseException:
        for part in begun:
            part.stop()
        raise
    return show()


def down():
    # The senders end first, then the parts that pass on, then those that keep.
    running = [part for part in reversed(PARTS) if part.pid_file.exists()]
    if not running:
        say("nothing is running")
    for part in running:
        part.stop()


def show():
    """Prints a line for each part, and returns the exit status."""
    states = []
    for part in PARTS:
        pid = part.pid()
        if not pid:
            states.append("died" if part.has_died() else "stopped")
            more = part.last_words() if part.has_died() else ""
        else:
            states.append("ready" if part.is_ready() else "silent")
            more = f"pid {pid}, port {', '.join(str(port(name)) for name in part.ports)}"
        print(f"{part.name:11} {states[-1]:8} {more}".rstrip())
    if "ready" in states:
        pages = f"traces on http://localhost:{port('SERVER_PORT')}, in Jaeger on http://localhost:{port('JAEGER_PORT')}"
        print(f"\n{pages}; logs in {os.path.relpath(STACK / 'logs')}")
    if set(states) == {"stopped"}:
        return 3
    return int(set(states) != {"ready"})


def clean():
    down()
    # Only files that were made here are removed, because STACK_DIR may contain others.
    for folder in ("clickhouse", "logs"):
        shutil.rmtree(STACK / folder, ignore_errors=True)
    for file in ("ports.json", "lock"):
        STACK.joinpath(file).unlink(missing_ok=True)
    with contextlib.suppress(OSError):
        STACK.rmdir()


def main():
    verbs = {"up": up, "down": down, "status": show, "clean": clean}
    if len(sys.argv) != 2 or sys.argv[1] not in verbs:
        sys.exit(f"usage: stack.py {'|'.join(verbs)}")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        STACK.mkdir(parents=True, exist_ok=True)
        with open(STACK / "lock", "w") as lock:
            if sys.argv[1] != "status":
                # Two runs at the same time would start the same part twice.
                fcntl.flock(lock, fcntl.LOCK_EX)
            if any(part.pid() for part in PARTS):
                kept.update(json.loads(STACK.joinpath("ports.json").read_text()))
            sys.exit(verbs[sys.argv[1]]())
    except Failure as failure:
        say(failure)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)


main()
