#!/usr/bin/env python3
"""Does the alert fire? A day of traces with incidents goes into ClickHouse, a threshold alert runs over it, and what fired is
compared with what tracegen knows. docs/alerts/README.md explains it.

It needs Python 3.8 or later, nothing else, and a ClickHouse that DATABASE_HOST, DATABASE_PORT, DATABASE_USER,
DATABASE_PASSWORD and DATABASE_NAME lead to, as they do for tracegen."""

import argparse
import base64
import datetime
import json
import os
import subprocess
import sys
import urllib.parse
import urllib.request

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("scenarios", nargs="?", default=os.path.join(os.path.dirname(__file__), "shop.yaml"))
parser.add_argument("--tracegen", default="tracegen", help="the program")
parser.add_argument("--start", default="2026-01-01T00:00:00Z", help="when the day starts, in the past")
parser.add_argument("--hours", type=int, default=24, help="how long the day is")
parser.add_argument("--rate", default="5/s", help="traces a second")
parser.add_argument("--errors", type=float, default=5, help="the alert's threshold: per cent of an operation's spans that fail")
parser.add_argument("--slower", type=float, default=3, help="the alert's threshold: so many times its usual p99")
parser.add_argument("--minutes", type=int, default=3, help="minutes in a row after which the alert fires")
parser.add_argument("--samples", default="20000", help="traces in each sample of the ground truth")
options = parser.parse_args()

MINUTE = datetime.timedelta(minutes=1)
start = datetime.datetime.fromisoformat(options.start.replace("Z", "+00:00"))
end = start + datetime.timedelta(hours=options.hours)


def tracegen(*arguments):
    command = [options.tracegen, *arguments]
    done = subprocess.run(command, stdout=subprocess.PIPE, universal_newlines=True)
    if done.returncode != 0:
        sys.exit("failed: " + " ".join(command))
    return done.stdout


def clickhouse(query):
    """Asks ClickHouse, and returns the rows of its answer."""
    environment = os.environ.get
    address = "http://%s:%s/?" % (environment("DATABASE_HOST", "localhost"), environment("DATABASE_PORT", "8123"))
    parameters = {"database": environment("DATABASE_NAME", "otel"), "default_format": "JSONEachRow"}
    request = urllib.request.Request(address + urllib.parse.urlencode(parameters), data=query.encode())
    login = environment("DATABASE_USER", "default") + ":" + environment("DATABASE_PASSWORD", "")
    request.add_header("Authorization", "Basic " + base64.b64encode(login.encode()).decode())
    with urllib.request.urlopen(request) as answer:
        return [json.loads(line) for line in answer.read().decode().splitlines()]


def clock(time):
    return time.strftime("%H:%M")


def stretches(minutes):
    """Returns the stretches of minutes in a row: the first, and the one after the last."""
    found = []
    for minute in sorted(minutes):
        if found and found[-1][1] == minute:
            found[-1][1] = minute + MINUTE
        else:
            found.append([minute, minute + MINUTE])
    return found


# 1. The day goes into ClickHouse, as fast as it can.
run = ["--seed", "42", "--start", options.start, "--duration", "%dh" % options.hours, "--rate", options.rate]
tracegen("run", options.scenarios, *run, "--exporter", "clickhouse", "--quiet")

# 2. The alert knows nothing but the spans: errors and p99 of each operation in each minute.
rows = clickhouse(
    """SELECT toString(toStartOfMinute(Timestamp)) AS minute, ServiceName AS service, SpanName AS operation,
    countIf(StatusCode = 'Error') / count() AS errors, toFloat64(quantileExact(0.99)(Duration)) AS p99
    FROM otel_traces WHERE Timestamp >= fromUnixTimestamp(%d) AND Timestamp < fromUnixTimestamp(%d)
    GROUP BY minute, service, operation"""
    % (start.timestamp(), end.timestamp())
)
if not rows:
    sys.exit("ClickHouse has no spans of this day")
of_operation = {}
for row in rows:
    minute = datetime.datetime.fromisoformat(row["minute"][:19]).replace(tzinfo=datetime.timezone.utc)
    of_operation.setdefault((row["service"], row["operation"]), {})[minute] = row
fired = {}
for operation, minutes in of_operation.items():
    usual = sorted(row["p99"] for row in minutes.values())[len(minutes) // 2]
    bad = {
        minute
        for minute, row in minutes.items()
        if row["errors"] * 100 > options.errors or row["p99"] > options.slower * usual
    }
    for first, last in stretches(bad):
        if last - first >= options.minutes * MINUTE:
            fired.setdefault(operation, []).append((first, last))

# 3. The truth: which incidents there are, when, and which operations each of them touches.
truth = json.loads(tracegen("explain", options.scenarios, "--incidents", "--start", options.start,
                            "--samples", options.samples, "--format", "json"))

# 4. What fired, beside the truth.
explained, missed = set(), 0
for incident in truth["incidents"]:
    touched = {
        (part["service"], part["operation"])
        for part in incident["touched"]
        if "operation" in part and set(part["signals"]) & {"errors", "latency"}
    }
    for window in incident["windows"]:
        opens, closes = [datetime.datetime.fromisoformat(window[key].replace("Z", "+00:00")) for key in ("from", "to")]
        if opens >= end:
            continue
        alerts = []
        for operation in touched:
            for first, last in fired.get(operation, []):
                if first < closes + MINUTE and last > opens:
                    alerts.append((first, operation))
                    explained.add((operation, first))
        text = "%s .. %s  %s: " % (clock(opens), clock(closes), incident["incident"])
        if alerts:
            first, operation = min(alerts)
            after = first + options.minutes * MINUTE - opens
            print("%sfired after %d min, first at %s %s; %d operations" % (
                text, after.total_seconds() / 60, operation[0], operation[1], len({at for _, at in alerts})))
        else:
            missed += 1
            print(text + "MISSED")
false = [(first, last, operation) for operation, alerts in fired.items() for first, last in alerts
         if (operation, first) not in explained]
for first, last, operation in sorted(false):
    print("%s .. %s  FALSE ALARM: %s %s" % (clock(first), clock(last), operation[0], operation[1]))
print("%d missed, %d false" % (missed, len(false)))
sys.exit(1 if missed or false else 0)
