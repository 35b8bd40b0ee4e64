#!/usr/bin/env python3
"""A prompt for SQL, over HTTP to the ClickHouse that DATABASE_HOST, _PORT, _USER, _PASSWORD and _NAME lead to.

A statement is a line, and goes on in the next one after a backslash. Where standard input is no terminal, it is one statement.
"""
import os, sys, urllib.error, urllib.parse, urllib.request

HOST = os.environ.get("DATABASE_HOST") or "localhost"
PORT = os.environ.get("DATABASE_PORT") or os.environ.get("CLICKHOUSE_HTTP_PORT") or "8123"
DATABASE = os.environ.get("DATABASE_NAME") or "otel"
LOGIN = {
    "X-ClickHouse-User": os.environ.get("DATABASE_USER") or "default",
    "X-ClickHouse-Key": os.environ.get("DATABASE_PASSWORD", ""),
}


def ask(statement, format):
    settings = urllib.parse.urlencode({"database": DATABASE, "default_format": format})
    request = urllib.request.Request(f"http://{HOST}:{PORT}/?{settings}", statement.encode(), LOGIN)
    with urllib.request.urlopen(request) as answer:
        return answer.read().decode(errors="replace")


def tell(statement, format):
    """Returns whether there was an answer."""
    try:
        print(ask(statement, format), end="", flush=True)
        return True
    except urllib.error.HTTPError as error:
        print(error.read().decode(errors="replace").strip(), file=sys.stderr)
        return False


def prompt():
    import readline  # noqa: F401  gives the prompt a history and editing

    print(f"ClickHouse {ask('SELECT version()', 'TSVRaw').strip()} at {HOST}:{PORT}, database {DATABASE}; Ctrl-D ends")
    while True:
        try:
            statement = input("> ")
            while statement.endswith("\\"):
                statement = statement[:-1] + "\n" + input("  ")
        except EOFError:
            return print()
        except KeyboardInterrupt:
            print()
            continue
        if statement.strip():
            tell(statement, "PrettyCompact")


def main():
    try:
        if sys.stdin.isatty():
            prompt()
        elif not tell(sys.stdin.read(), "TabSeparatedWithNames"):
            sys.exit(1)
    except OSError as error:
        reason = getattr(error, "reason", error)
        way_out = "`make stack-up` starts one, DATABASE_HOST and DATABASE_PORT lead to another"
        sys.exit(f"clickhouse-shell: no ClickHouse at {HOST}:{PORT} ({reason}); {way_out}")


main()
