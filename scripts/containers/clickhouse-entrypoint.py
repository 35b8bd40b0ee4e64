#!/usr/bin/env python3
"""Starts the stand-in for ClickHouse's image as that image's own entrypoint starts the server.

CLICKHOUSE_USER, CLICKHOUSE_PASSWORD, CLICKHOUSE_DB and CLICKHOUSE_DEFAULT_ACCESS_MANAGEMENT mean what they mean there: the
first start listens on the loopback alone until the database is made, and a default user with neither a password nor the
right to manage access can't come in over the network.
"""

import os, signal, subprocess, sys, urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
DATA = "/var/lib/clickhouse"
USER = os.environ.get("CLICKHOUSE_USER") or "default"
PASSWORD = os.environ.get("CLICKHOUSE_PASSWORD", "")
DATABASE = os.environ.get("CLICKHOUSE_DB", "")
MANAGES = os.environ.get("CLICKHOUSE_DEFAULT_ACCESS_MANAGEMENT") or "0"


def command(host):
    login = ["--default-password", PASSWORD] if USER == "default" else ["--user", USER, "--password", PASSWORD]
    return [sys.executable, f"{HERE}/clickhouse-server.py", "--path", DATA, "--tcp-port", "9000", "--host", host, *login]


def make_database():
    server = subprocess.Popen(command("127.0.0.1"), stdout=subprocess.PIPE, text=True)
    if not server.stdout.readline().startswith("READY"):
        sys.exit("entrypoint: ClickHouse does not come up")
    login = {"X-ClickHouse-User": USER, "X-ClickHouse-Key": PASSWORD}
    statement = f"CREATE DATABASE IF NOT EXISTS `{DATABASE}`".encode()
    urllib.request.urlopen(urllib.request.Request("http://127.0.0.1:8123/", statement, login)).read()
    server.send_signal(signal.SIGTERM)
    server.wait()


if DATABASE and not os.path.isdir(f"{DATA}/data"):
    make_database()
is_open = USER != "default" or PASSWORD or MANAGES != "0"
argv = command("0.0.0.0" if is_open else "127.0.0.1")
os.execv(argv[0], argv)
