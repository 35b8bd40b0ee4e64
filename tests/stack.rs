//! `make stack-up` from end to end: the traces of a seed are in ClickHouse, in Jaeger and on the pages. Whatever part dies,
//! the others go on, and nothing is lost that was acknowledged by a living part.

mod support {
    pub mod binary;
    pub mod collector;
    pub mod ports;
    pub mod seen;
    pub mod stack;
}

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, SystemTime};
use support::binary::{brief, scenarios, tracegen};
use support::collector::read_delimited;
use support::seen::{COLUMNS, Seen, in_jaeger, sent, written};
use support::stack::{PARTS, Stack, until};
use tempfile::TempDir;

/// A run without its destination.
struct Run {
    flags: Vec<String>,
    scenarios: PathBuf,
    folder: TempDir,
}

impl Run {
    /// Makes a run that began `ago` seconds ago.
    fn new(scenarios: PathBuf, seed: &str, ago: u64, flags: &[&str]) -> Run {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970").as_secs();
        let start = jiff::Timestamp::from_second((now - ago) as i64).expect("a time").to_string();
        let words = ["--seed", seed, "--start", &start];
        let flags = words.iter().chain(flags).map(|word| word.to_string()).collect();
        Run { flags, scenarios, folder: tempfile::tempdir().expect("a folder") }
    }

    fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tracegen"));
        command.arg("run").args(&self.flags).arg(&self.scenarios).stderr(Stdio::null()).stdout(Stdio::piped());
        command
    }

    /// Sends the run to a stack's collector; the summary comes at its end.
    fn to(&self, stack: &Stack) -> Child {
        let mut command = self.command();
        command.args([
            "--protocol",
            "grpc",
            "--wait",
            "2m",
            "--summary",
            "json",
            "--endpoint",
            &stack.url("OTLP_GRPC_PORT"),
        ]);
        command.arg("--manifest").arg(self.manifest()).spawn().expect("started")
    }

    fn manifest(&self) -> PathBuf {
        self.folder.path().join("run.json")
    }

    /// Returns the exit status and the report of `tracegen verify`.
    fn verified(&self, from: &str, flags: &[&str]) -> (Option<i32>, Value) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tracegen"));
        command.args(["verify", "--format", "json", "--from", from]).args(flags).arg("--manifest").arg(self.manifest());
        let output = command.output().expect("run");
        let report = serde_json::from_slice(&output.stdout);
        (output.status.code(), report.unwrap_or_else(|e| panic!("{e}: {}", String::from_utf8_lossy(&output.stderr))))
    }

    /// Returns the same traces from a file.
    fn expected(&self) -> Vec<Seen> {
        let file = self.folder.path().join("a.bin");
        let status = self.command().args([&format!("--exporter=file={}", file.display()), "--force"]).status();
        assert!(status.expect("run").success());
        let requests: Vec<ExportTraceServiceRequest> = read_delimited(&std::fs::read(file).expect("written"));
        sent(&requests)
    }
}

/// Returns the summary of a run whose account is closed without losses.
fn delivered(run: Child) -> Value {
    let output = run.wait_with_output().expect("it ends");
    let summary: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert!(output.status.success(), "{summary}");
    assert_eq!(summary["delivered"], summary["generated"], "{summary}");
    summary
}

/// Returns the source for `verify`.
fn clickhouse(stack: &Stack) -> String {
    format!("clickhouse={}/otel", stack.url("CLICKHOUSE_HTTP_PORT"))
}

/// Returns an SQL condition for the rows of these traces.
fn within(expected: &[Seen]) -> String {
    let first = expected.iter().map(|span| span.start).min().expect("spans");
    let last = expected.iter().map(|span| span.start).max().expect("spans");
    let time = |ns: u64| format!("fromUnixTimestamp64Nano(toInt64({ns}))");
    let ids: BTreeSet<String> = expected.iter().map(|span| format!("'{}'", span.trace)).collect();
    let ids = ids.into_iter().collect::<Vec<_>>().join(",");
    format!("FROM otel_traces WHERE Timestamp BETWEEN {} AND {} AND TraceId IN ({ids})", time(first), time(last))
}

/// Counts the calls between services.
fn calls(expected: &[Seen]) -> BTreeMap<(String, String), u64> {
    let services: BTreeMap<_, _> = expected.iter().map(|s| ((&s.trace, &s.id), &s.service)).collect();
    let mut calls = BTreeMap::new();
    for span in expected {
        if let Some(parent) = services.get(&(&span.trace, &span.parent)).filter(|parent| **parent != &span.service) {
            *calls.entry((parent.to_string(), span.service.clone())).or_default() += 1;
        }
    }
    calls
}

#[test]
fn what_the_seed_makes_is_in_clickhouse_in_jaeger_and_on_the_pages() {
    let Some(stack) = Stack::new() else { return };
    stack.up();
    assert_eq!(stack.run("status").status.code(), Some(0));
    let pids = || PARTS.map(|part| stack.pid(part));
    let before = pids();
    stack.up();
    assert_eq!(pids(), before, "a second up is none");
    let other = stack.command("up").env("JAEGER_PORT", "9999").output().expect("run");
    assert!(String::from_utf8_lossy(&other.stderr).contains("end it first"), "{other:?}");

    // They take six minutes, so that one of the job's times, which come every five, is among them.
    let run = Run::new(scenarios(), "7", 7_200, &["--rate", "25/m", "--count", "150"]);
    let sending = run.to(&stack);
    let expected = run.expected();
    let summary = delivered(sending);
    assert_eq!(summary["generated"]["spans"], expected.len());
    let ids: BTreeSet<&String> = expected.iter().map(|span| &span.trace).collect();
    assert_eq!(ids.len(), 150);
    every_scenario_is_among(&ids, &run.manifest());

    let rows = within(&expected);
    stack.wait(&format!("SELECT count() {rows}"), &expected.len().to_string());
    same("ClickHouse", &written(&stack.select(&format!("SELECT {COLUMNS} {rows} FORMAT JSONEachRow"))), &expected);

    for id in &ids {
        let of_trace = expected.iter().filter(|span| span.trace == **id).cloned().map(Seen::in_microseconds);
        let of_trace: Vec<Seen> = of_trace.collect();
        same("Jaeger", &traced_by_jaeger(&stack, id, of_trace.len()), &of_trace);
    }
    // Jaeger counts the traces that had ended by then.
    let end = expected.iter().map(|span| span.start / 1_000_000).max().expect("spans") + 600_000;
    let edges = stack.get("JAEGER_PORT", &format!("/api/dependencies?endTs={end}&lookback=3600000"), |_| true);
    let edges = edges["data"].as_array().expect("a list").iter();
    let word = |edge: &Value, name: &str| edge[name].as_str().expect("text").to_string();
    let found: BTreeMap<_, _> = edges
        .map(|edge| ((word(edge, "parent"), word(edge, "child")), edge["callCount"].as_u64().expect("a number")))
        // Jaeger also counts calls within a service.
        .filter(|((parent, child), _)| parent != child)
        .collect();
    assert_eq!(found, calls(&expected));
    for from in [clickhouse(&stack), format!("jaeger={}", stack.url("JAEGER_PORT"))] {
        let (status, report) = run.verified(&from, &[]);
        assert_eq!((status, &report["delivered"]), (Some(0), &expected.len().into()), "{report}");
    }

    on_the_pages(&stack, &expected);
    down(&stack);
}

/// Returns a trace once Jaeger has that many spans of it.
fn traced_by_jaeger(stack: &Stack, id: &str, spans: usize) -> Vec<Seen> {
    let has_all = |answer: &Value| answer["data"][0]["spans"].as_array().is_some_and(|found| found.len() >= spans);
    in_jaeger(&stack.get("JAEGER_PORT", &format!("/api/traces/{id}?raw=true"), has_all))
}

fn every_scenario_is_among(ids: &BTreeSet<&String>, manifest: &Path) {
    let said = tracegen().arg("identify").arg("--manifest").arg(manifest).args(ids).output().expect("run");
    let said = String::from_utf8(said.stdout).expect("text");
    // ID  trace INDEX, SCENARIO, N spans, started TIME, lasts D
    let made: BTreeSet<&str> = said.lines().filter_map(|line| line.split(", ").nth(1)).collect();
    let listing = tracegen().args(["compile", "--emit", "json"]).arg(scenarios()).output().expect("run");
    let listing: Value = serde_json::from_slice(&listing.stdout).expect("JSON");
    let shipped =
        listing["scenarios"].as_array().expect("a list").iter().filter_map(|scenario| scenario["name"].as_str());
    assert_eq!(made, shipped.collect());
}

/// Compares all spans, and names the first one that differs.
fn same(place: &str, found: &[Seen], expected: &[Seen]) {
    for (found, expected) in found.iter().zip(expected) {
        assert_eq!(found, expected, "{place}");
    }
    assert_eq!(found.len(), expected.len(), "{place}");
}

/// Checks that the pages and the API read from ClickHouse what the collector wrote there.
fn on_the_pages(stack: &Stack, expected: &[Seen]) {
    reads_clickhouse(stack);
    let ids: BTreeSet<&String> = expected.iter().map(|span| &span.trace).collect();
    for id in ids.into_iter().step_by(10) {
        let trace = stack.get("SERVER_PORT", &format!("/api/traces/{id}"), |_| true);
        let trace: ExportTraceServiceRequest = serde_json::from_value(trace).expect("OTLP");
        let expected: Vec<Seen> = expected.iter().filter(|span| span.trace == *id).cloned().collect();
        same("the API", &sent(&[trace]), &expected);
        let page = stack.page(&format!("/traces/{id}"));
        assert!(expected.iter().all(|span| page.contains(&span.service) && page.contains(&span.id)), "{page}");
    }
    // The server's own traces arrive in the same way.
    let seen = stack.get("SERVER_PORT", "/api/traces?limit=20", |_| true);
    let seen = seen["traces"].as_array().expect("a list").iter().filter_map(|trace| trace["trace_id"].as_str());
    let ids: Vec<String> = seen.map(|id| format!("'{id}'")).collect();
    let count =
        stack.select(&format!("SELECT uniqExact(TraceId) FROM otel_traces WHERE TraceId IN ({})", ids.join(",")));
    assert_eq!((ids.len(), count.as_str()), (20, "20"));
}

/// Checks that `serve` reads ClickHouse and does not write to it, because the collector does.
fn reads_clickhouse(stack: &Stack) {
    stack.get("SERVER_PORT", "/api/status", |status| {
        let store = &status["store"];
        store["wanted"] != "memory" && store["outage"].is_null() && store["written"].is_null()
    });
}

/// Checks that only data and logs are left, and that `serve` has delivered everything.
fn down(stack: &Stack) {
    let pids = PARTS.map(|part| stack.pid(part));
    assert!(stack.run("down").status.success());
    for pid in pids {
        // A process that has ended and was not waited for is shown as Z.
        let state = Command::new("ps").args(["-o", "stat=", "-p", &pid]).output().expect("run").stdout;
        assert!(state.is_empty() || state.starts_with(b"Z"), "process {pid} is left");
    }
    for (name, port) in &stack.ports {
        assert!(TcpStream::connect((Ipv4Addr::LOCALHOST, *port)).is_err(), "{name} {port} is open");
    }
    assert_eq!(stack.run("status").status.code(), Some(3));
    let log = stack.log("tracegen");
    for words in ["rejected             0", "undelivered          0"] {
        assert!(log.contains(words), "{log}");
    }
}

#[test]
fn whatever_part_dies_the_others_go_on() {
    let Some(stack) = Stack::new() else { return };
    stack.up();
    // The traces end within a second, because a run lasts as long as its last trace.
    let run = Run::new(brief(), "7", 5, &["--rate", "40/s", "--duration", "15s"]);
    let sending = run.to(&stack);
    for part in ["clickhouse", "jaeger", "tracegen"] {
        dies_and_comes_back(&stack, part);
    }
    delivered(sending);
    // The collector has kept the spans that came while ClickHouse was away; an interrupted insert may be there twice.
    let expected = run.expected();
    let rows = within(&expected);
    stack.wait(&format!("SELECT uniqExact(SpanId) {rows}"), &expected.len().to_string());
    let (status, report) = run.verified(&clickhouse(&stack), &["--allow", "duplicates"]);
    assert_eq!(status, Some(0), "{report}");
    let last = expected.iter().max_by_key(|span| span.start).expect("spans");
    traced_by_jaeger(&stack, &last.trace, 1);
    reads_clickhouse(&stack);

    // Spans that a collector has acknowledged and not passed on are lost with it; its sender continues with the next
    // collector.
    let run = Run::new(brief(), "8", 5, &["--rate", "40/s", "--duration", "15s"]);
    let sending = run.to(&stack);
    sleep(Duration::from_secs(2));
    dies_and_comes_back(&stack, "collector");
    delivered(sending);
    let expected = run.expected();
    let last = expected.iter().max_by_key(|span| span.start).expect("spans");
    let rows = within(&expected);
    stack.wait(&format!("SELECT count() > 0 {rows} AND SpanId = '{}'", last.id), "1");
    let (_, report) = run.verified(&clickhouse(&stack), &[]);
    let found: usize = stack.select(&format!("SELECT uniqExact(SpanId) {rows}")).parse().expect("a number");
    assert_eq!(report["lost"], expected.len() - found, "{report}");
    down(&stack);
}

fn dies_and_comes_back(stack: &Stack, part: &str) {
    stack.kill(part);
    until("it is seen that it died", || {
        let status = stack.run("status");
        let said = String::from_utf8(status.stdout).expect("text");
        let died: Vec<&str> = said.lines().filter(|line| line.contains(" died ")).collect();
        let alone = status.status.code() == Some(1) && died.len() == 1 && died[0].starts_with(part);
        if alone { Ok(()) } else { Err(said) }
    });
    let others = || PARTS.iter().filter(|other| **other != part).map(|other| stack.pid(other)).collect::<Vec<_>>();
    let before = others();
    stack.up();
    assert_eq!(others(), before, "{part} alone is started again");
}

#[test]
fn a_port_in_use_is_named() {
    let Some(stack) = Stack::new() else { return };
    let port = stack.ports["JAEGER_PORT"];
    let _taken = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).expect("free");
    let output = stack.run("up");
    let said = String::from_utf8(output.stderr).expect("text");
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(
        said.contains(&format!("port {port}, for jaeger, is in use by ")) && said.contains("JAEGER_PORT="),
        "{said}"
    );
    assert!(said.contains(&format!("(pid {})", std::process::id())) || !has("lsof") && !has("ss"), "{said}");
    assert_eq!(stack.run("status").status.code(), Some(3), "nothing was started");
}

#[test]
fn a_failed_start_leaves_nothing_behind() {
    let Some(stack) = Stack::new() else { return };
    let output = stack.command("up").env("STACK_TRACEGEN", "/bin/false").output().expect("run");
    let said = String::from_utf8(output.stderr).expect("text");
    assert!(said.contains("tracegen ended while it started") && output.status.code() == Some(1), "{said}");
    assert_eq!(stack.run("status").status.code(), Some(3), "all has ended");
}

#[test]
fn the_light_configuration_logs_arriving_spans() {
    let Some(stack) = Stack::new() else { return };
    let config = concat!(env!("CARGO_MANIFEST_DIR"), "/otel-collector/otel-collector-inmemory.yaml");
    let at = |port: &str| format!("127.0.0.1:{}", stack.ports[port]);
    let mut collector = Command::new(std::env::var_os("TRACEGEN_COLLECTOR").expect("there is a stack"))
        .args(["--config", config])
        .envs([("OTLP_GRPC_ENDPOINT", at("OTLP_GRPC_PORT")), ("OTLP_HTTP_ENDPOINT", at("OTLP_HTTP_PORT"))])
        .envs([("HEALTH_ENDPOINT", at("COLLECTOR_HEALTH_PORT")), ("METRICS_HOST", "127.0.0.1".into())])
        .env("METRICS_PORT", stack.ports["COLLECTOR_METRICS_PORT"].to_string())
        .stderr(Stdio::piped())
        .spawn()
        .expect("started");
    let summary = delivered(Run::new(scenarios(), "42", 7_200, &["--rate", "10/s", "--count", "50"]).to(&stack));
    assert!(Command::new("kill").arg(collector.id().to_string()).status().expect("run").success());
    let mut log = String::new();
    collector.stderr.take().expect("piped").read_to_string(&mut log).expect("text");
    collector.wait().expect("it ends");
    let counts = log
        .lines()
        .filter_map(|line| line.split_once(r#""spans": "#))
        .map(|(_, rest)| rest.trim_end_matches('}').parse::<u64>().unwrap_or_else(|e| panic!("{e}: {rest}")));
    assert_eq!(summary["generated"]["spans"], counts.sum::<u64>(), "{log}");
}

/// Runs `scripts/docker.sh` with these commands on the PATH, and returns status and stderr. A command in `failing` fails at
/// its first call; the others print their name and their arguments.
fn by_compose(commands: &[&str], failing: &[&str]) -> (Option<i32>, String) {
    let folder = tempfile::tempdir().expect("a folder");
    for tool in ["bash", "env", "dirname", "git"] {
        let real = Command::new("which").arg(tool).output().expect("run").stdout;
        let real = String::from_utf8(real).expect("a path");
        std::os::unix::fs::symlink(real.trim(), folder.path().join(tool)).expect("linked");
    }
    for command in commands {
        let fails: String = failing.iter().map(|words| format!("'{words}'*) exit 1;; ")).collect();
        let script = format!("#!/bin/sh\ncase \"{command} $*\" in {fails}esac\necho \"ran: {command} $*\" >&2\n");
        let file = folder.path().join(command);
        std::fs::write(&file, script).expect("written");
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).expect("made executable");
    }
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/docker.sh");
    let output = Command::new(script)
        .args(["stack-up", "docker-compose.yaml", "up", "--wait"])
        .env("PATH", folder.path())
        .output()
        .expect("run");
    (output.status.code(), String::from_utf8(output.stderr).expect("text"))
}

#[test]
fn the_stack_runs_with_any_available_compose() {
    let all = ["docker", "docker-compose", "podman", "podman-compose"];
    for (failing, with) in [
        (&[][..], "docker compose"),
        (&["docker compose"][..], "docker-compose"),
        (&["docker info"][..], "podman compose"),
        (&["docker info", "podman compose"][..], "podman-compose"),
    ] {
        let (status, said) = by_compose(&all, failing);
        let asked = "--project-name tracegen --file docker-compose.yaml up --wait";
        assert!(said.ends_with(&format!("docker: with {with}\nran: {with} {asked}\n")), "{failing:?}: {said}");
        assert_eq!(status, Some(0));
    }
}

#[test]
fn without_an_engine_the_alternative_is_named() {
    for (commands, failing, why) in [
        (&[][..], &[][..], "neither Docker nor Podman is installed"),
        (&["docker"][..], &["docker info"][..], "no engine answers here"),
        (&["docker", "podman"][..], &["docker info", "podman info"][..], "no engine answers here"),
        (&["docker"][..], &["docker compose"][..], "Docker has no Compose here"),
        (&["podman"][..], &["podman compose"][..], "Podman has no Compose here"),
    ] {
        let (status, said) = by_compose(commands, failing);
        let last = said.lines().last().unwrap_or_default();
        assert!(
            last.starts_with(&format!("docker: {why}")) && last.ends_with("; without containers: make stack-up"),
            "{said}"
        );
        assert_eq!(status, Some(1));
    }
}

fn has(tool: &str) -> bool {
    Command::new("which").arg(tool).output().is_ok_and(|output| output.status.success())
}
