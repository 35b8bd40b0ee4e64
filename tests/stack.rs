//! `make stack-up`, end to end: what the seed makes is in ClickHouse, in Jaeger and on the pages; whatever part dies, the
//! others go on, and nothing that was acknowledged by what lives is lost.

mod support {
    pub mod binary;
    pub mod collector;
    pub mod seen;
    pub mod stack;
}

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime};
use support::binary::{scenarios, tracegen};
use support::collector::read_delimited;
use support::seen::{COLUMNS, Seen, in_jaeger, sent, written};
use support::stack::{PARTS, Stack};

/// What to run, without where it goes.
struct Run {
    flags: Vec<String>,
    scenarios: PathBuf,
}

impl Run {
    /// Begun so many seconds ago.
    fn new(scenarios: PathBuf, seed: &str, ago: u64, flags: &[&str]) -> Run {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970").as_secs();
        let start = jiff::Timestamp::from_second((now - ago) as i64).expect("a time").to_string();
        let words = ["--seed", seed, "--start", &start];
        Run { flags: words.iter().chain(flags).map(|word| word.to_string()).collect(), scenarios }
    }

    fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tracegen"));
        command.arg("run").args(&self.flags).arg(&self.scenarios).stderr(Stdio::null()).stdout(Stdio::piped());
        command
    }

    /// To a stack's collector; the summary comes with its end.
    fn to(&self, stack: &Stack) -> Child {
        let mut command = self.command();
        command.args(["--protocol", "grpc", "--summary", "json", "--endpoint", &stack.endpoint()]);
        command.spawn().expect("started")
    }

    /// The same traces, by way of a file.
    fn expected(&self) -> Vec<Seen> {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("a.bin");
        let status = self.command().arg(format!("--exporter=file={}", file.display())).status();
        assert!(status.expect("run").success());
        let requests: Vec<ExportTraceServiceRequest> = read_delimited(&std::fs::read(file).expect("written"));
        sent(&requests)
    }
}

/// The summary of a run whose account is closed with nothing lost.
fn delivered(run: Child) -> Value {
    let output = run.wait_with_output().expect("it ends");
    let summary: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert!(output.status.success(), "{summary}");
    assert_eq!(summary["delivered"], summary["generated"], "{summary}");
    summary
}

/// What finds the rows of these traces.
fn within(expected: &[Seen]) -> String {
    let first = expected.iter().map(|span| span.start).min().expect("spans");
    let last = expected.iter().map(|span| span.start).max().expect("spans");
    let time = |ns: u64| format!("fromUnixTimestamp64Nano(toInt64({ns}))");
    let ids: BTreeSet<String> = expected.iter().map(|span| format!("'{}'", span.trace)).collect();
    let ids = ids.into_iter().collect::<Vec<_>>().join(",");
    format!("FROM otel_traces WHERE Timestamp BETWEEN {} AND {} AND TraceId IN ({ids})", time(first), time(last))
}

/// Calls from service to service.
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

    let run = Run::new(scenarios(), "42", 7_200, &["--rate", "10/s", "--count", "600"]);
    let sending = run.to(&stack);
    let expected = run.expected();
    let summary = delivered(sending);
    assert_eq!(summary["generated"]["spans"], expected.len());
    let ids: BTreeSet<&String> = expected.iter().map(|span| &span.trace).collect();
    assert_eq!(ids.len(), 600);
    every_scenario_is_among(&ids);

    let rows = within(&expected);
    stack.wait(&format!("SELECT count() {rows}"), &expected.len().to_string());
    same("ClickHouse", &written(&stack.select(&format!("SELECT {COLUMNS} {rows} FORMAT JSONEachRow"))), &expected);

    for id in &ids {
        let of_trace = expected.iter().filter(|span| span.trace == **id).cloned().map(Seen::in_microseconds);
        let found = in_jaeger(&stack.get("JAEGER_PORT", &format!("/api/traces/{id}?raw=true")));
        same("Jaeger", &found, &of_trace.collect::<Vec<_>>());
    }
    let end = expected.iter().map(|span| span.start / 1_000_000).max().expect("spans") + 1;
    let edges = stack.get("JAEGER_PORT", &format!("/api/dependencies?endTs={end}&lookback=3600000"));
    let edges = edges["data"].as_array().expect("a list").iter();
    let word = |edge: &Value, name: &str| edge[name].as_str().expect("text").to_string();
    let found: BTreeMap<_, _> = edges
        .map(|edge| ((word(edge, "parent"), word(edge, "child")), edge["callCount"].as_u64().expect("a number")))
        .collect();
    assert_eq!(found, calls(&expected));

    on_the_pages(&stack, &expected);
    down(&stack);
}

fn every_scenario_is_among(ids: &BTreeSet<&String>) {
    let said = tracegen().args(["identify", "--seed", "42"]).arg(scenarios()).args(ids).output().expect("run");
    let said = String::from_utf8(said.stdout).expect("text");
    let made: BTreeSet<&str> = said.lines().filter_map(|line| line.rsplit_once(", ")).map(|(_, name)| name).collect();
    let listing = tracegen().args(["compile", "--emit", "json"]).arg(scenarios()).output().expect("run");
    let listing: Value = serde_json::from_slice(&listing.stdout).expect("JSON");
    let shipped = listing["scenarios"].as_array().expect("a list").iter().filter_map(|of| of["name"].as_str());
    assert_eq!(made, shipped.collect());
}

/// All of them, and the first that differs is named.
fn same(place: &str, found: &[Seen], expected: &[Seen]) {
    for (found, expected) in found.iter().zip(expected) {
        assert_eq!(found, expected, "{place}");
    }
    assert_eq!(found.len(), expected.len(), "{place}");
}

/// The pages and the API read from ClickHouse what the collector wrote there.
fn on_the_pages(stack: &Stack, expected: &[Seen]) {
    reads_clickhouse(stack);
    let ids: BTreeSet<&String> = expected.iter().map(|span| &span.trace).collect();
    for id in ids.into_iter().step_by(10) {
        let trace = stack.get("SERVER_PORT", &format!("/api/traces/{id}"));
        let trace: ExportTraceServiceRequest = serde_json::from_value(trace).expect("OTLP");
        same(
            "the API",
            &sent(&[trace]),
            &expected.iter().filter(|span| span.trace == *id).cloned().collect::<Vec<_>>(),
        );
    }
    // Its own traces come back by the same way.
    let seen = stack.get("SERVER_PORT", "/api/traces?limit=20");
    let seen = seen["traces"].as_array().expect("a list").iter().filter_map(|trace| trace["trace_id"].as_str());
    let ids: Vec<String> = seen.map(|id| format!("'{id}'")).collect();
    let count =
        stack.select(&format!("SELECT uniqExact(TraceId) FROM otel_traces WHERE TraceId IN ({})", ids.join(",")));
    assert_eq!((ids.len(), count.as_str()), (20, "20"));
}

/// And does not write it: the collector does.
fn reads_clickhouse(stack: &Stack) {
    let begun = Instant::now();
    loop {
        let store = stack.get("SERVER_PORT", "/api/status")["store"].take();
        if store["wanted"] != "memory" && store["outage"].is_null() && store["written"].is_null() {
            return;
        }
        assert!(begun.elapsed() < Duration::from_secs(30), "{store}");
        sleep(Duration::from_millis(200));
    }
}

/// Nothing is left but data and logs, and `serve` has delivered all it made.
fn down(stack: &Stack) {
    let pids = PARTS.map(|part| stack.pid(part));
    assert!(stack.run("down").status.success());
    for pid in pids {
        let alive = Command::new("kill").args(["-0", &pid]).stderr(Stdio::null()).status().expect("run").success();
        assert!(!alive, "process {pid} is left");
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
    // Traces that end within a second: a run lasts as long as its last one.
    let brief = || scenarios().join("examples");
    let run = Run::new(brief(), "7", 5, &["--rate", "40/s", "--duration", "15s"]);
    let sending = run.to(&stack);
    for part in ["clickhouse", "jaeger", "tracegen"] {
        dies_and_comes_back(&stack, part);
    }
    delivered(sending);
    // The collector has kept what came while ClickHouse was away; an insert that was cut off may be there twice.
    let expected = run.expected();
    let rows = within(&expected);
    stack.wait(&format!("SELECT uniqExact(SpanId) {rows}"), &expected.len().to_string());
    let last = expected.iter().max_by_key(|span| span.start).expect("spans");
    assert!(!in_jaeger(&stack.get("JAEGER_PORT", &format!("/api/traces/{}", last.trace))).is_empty());
    reads_clickhouse(&stack);

    // What a collector has acknowledged and not passed on yet ends with it; its sender goes on with the next.
    let run = Run::new(brief(), "8", 5, &["--rate", "40/s", "--duration", "15s"]);
    let sending = run.to(&stack);
    sleep(Duration::from_secs(2));
    dies_and_comes_back(&stack, "collector");
    delivered(sending);
    let expected = run.expected();
    let last = expected.iter().max_by_key(|span| span.start).expect("spans");
    stack.wait(&format!("SELECT count() > 0 {} AND SpanId = '{}'", within(&expected), last.id), "1");
    down(&stack);
}

fn dies_and_comes_back(stack: &Stack, part: &str) {
    stack.kill(part);
    sleep(Duration::from_secs(1));
    let status = stack.run("status");
    let said = String::from_utf8(status.stdout).expect("text");
    assert_eq!(status.status.code(), Some(1), "{said}");
    let died: Vec<&str> = said.lines().filter(|line| line.contains(" died ")).collect();
    assert!(died.len() == 1 && died[0].starts_with(part), "{said}");
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

fn has(tool: &str) -> bool {
    Command::new("which").arg(tool).output().is_ok_and(|output| output.status.success())
}
