//! The report of `tracegen verify` on runs through a real collector into real ClickHouse, real Jaeger and files. Every
//! count is compared with an independent one: SQL, Jaeger's own figures, or requests decoded with `opentelemetry-proto`.

mod support {
    pub mod binary;
    pub mod clickhouse;
    pub mod collector;
    pub mod http;
    pub mod jaeger;
    pub mod ports;
    pub mod proxy;
}

mod injected {
    mod altered;
    mod doubled;
    mod lost;
    mod sampled;
    mod unreadable;
}

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::Span;
use serde_json::Value;
use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;
use support::binary::{bare_spans, scenarios, tracegen};
use support::clickhouse::{Server, ask};
use support::collector::{Collector, Output, read_delimited};
use support::jaeger::Jaeger;
use tempfile::TempDir;
use tracegen::store::Connection;

/// A run of the shipped scenarios, or of others.
struct Run {
    folder: TempDir,
    scenarios: PathBuf,
    seed: u64,
    count: u64,
    /// The number of spans that a receiver has acknowledged.
    delivered: u64,
}

impl Run {
    /// Sends a run to an endpoint, which must acknowledge all of it.
    fn sent(seed: u64, count: u64, protocol: &str, endpoint: &str) -> Run {
        Run::of(scenarios(), seed, count, protocol, endpoint)
    }

    fn of(scenarios: PathBuf, seed: u64, count: u64, protocol: &str, endpoint: &str) -> Run {
        let folder = tempfile::tempdir().expect("a folder");
        let mut run = Run { folder, scenarios, seed, count, delivered: 0 };
        let output = run
            .command()
            .args(["--protocol", protocol, "--endpoint", endpoint, "--summary", "json", "--manifest"])
            .arg(run.manifest())
            .assert()
            .success();
        let summary: Value = serde_json::from_slice(&output.get_output().stdout).expect("JSON");
        assert_eq!(summary["delivered"], summary["generated"], "{summary}");
        run.delivered = summary["delivered"]["spans"].as_u64().expect("a count");
        run
    }

    fn command(&self) -> assert_cmd::Command {
        let mut command = tracegen();
        command.args(["run", "--seed", &self.seed.to_string(), "--count", &self.count.to_string()]);
        command
            .args(["--start", "2026-01-01T00:00:00Z", "--quiet"])
            .arg(&self.scenarios)
            .timeout(Duration::from_secs(300));
        command
    }

    fn manifest(&self) -> PathBuf {
        self.folder.path().join("run.json")
    }

    /// Returns the spans that were sent, from the file that the same run writes.
    fn truth(&self) -> Vec<Span> {
        let file = self.folder.path().join("truth.bin");
        self.command().args([&format!("--exporter=file={}", file.display()), "--force"]).assert().success();
        bare_spans(&read_delimited(&std::fs::read(file).expect("written"))).cloned().collect()
    }

    /// Returns the report and the exit status.
    fn verified(&self, from: &str, more: &[&str]) -> (Value, i32) {
        let (out, said, exit) = self.verify(from, &[more, &["--format", "json"]].concat());
        let report = serde_json::from_str(&out).unwrap_or_else(|e| panic!("{from}: {e}\n{out}{said}"));
        (report, exit)
    }

    /// Returns the report and the exit status for `--from clickhouse`, with the address in variables.
    fn verified_by_variables(&self, connection: &Connection) -> (Value, i32) {
        let mut command = tracegen();
        command
            .env("DATABASE_HOST", &connection.host)
            .env("DATABASE_PORT", connection.port.to_string())
            .env("DATABASE_NAME", &connection.database)
            .args(["verify", "--from", "clickhouse", "--format", "json", "--manifest"])
            .arg(self.manifest());
        let output = command.timeout(Duration::from_secs(300)).output().expect("run");
        (serde_json::from_slice(&output.stdout).expect("JSON"), output.status.code().expect("an exit status"))
    }

    /// Returns the output, the messages and the exit status.
    fn verify(&self, from: &str, more: &[&str]) -> (String, String, i32) {
        let mut command = tracegen();
        command.arg("verify").arg("--manifest").arg(self.manifest()).args(["--from", from]).args(more);
        let output = command.timeout(Duration::from_secs(300)).output().expect("run");
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
        (text(output.stdout), text(output.stderr), output.status.code().expect("an exit status"))
    }
}

/// Returns the server that all tests share; it ends with this process.
fn clickhouse() -> Option<&'static Server> {
    static SERVER: OnceLock<Option<Server>> = OnceLock::new();
    SERVER.get_or_init(Server::start).as_ref()
}

fn rows_of(server: &Server, connection: &Connection) -> Output {
    Output::ClickHouse { tcp_port: server.tcp_port, database: connection.database.clone() }
}

/// Returns the URL for `--from`.
fn url_of(connection: &Connection) -> String {
    format!("clickhouse=http://{}:{}/{}", connection.host, connection.port, connection.database)
}

fn path_of(file: &Path) -> String {
    file.display().to_string()
}

/// Returns the result of a statement about `otel_traces`.
fn sql(connection: &Connection, statement: &str) -> String {
    let statement = statement.replace("otel_traces", &format!("{}.otel_traces", connection.database));
    tokio::runtime::Runtime::new().expect("a runtime").block_on(ask(connection, &statement))
}

/// Returns the number that the statement gives, written without `SELECT`.
fn count(connection: &Connection, what: &str) -> u64 {
    let answer = sql(connection, &format!("SELECT {what}"));
    answer.trim().parse().unwrap_or_else(|e| panic!("{e}: {answer}"))
}

/// Counts how often each span is in the requests.
fn counted(requests: &[ExportTraceServiceRequest]) -> HashMap<Vec<u8>, u64> {
    let mut counts = HashMap::new();
    bare_spans(requests).for_each(|span| *counts.entry(span.span_id.clone()).or_default() += 1);
    counts
}

fn failed(span: &Span) -> bool {
    span.status.as_ref().is_some_and(|status| status.code == 2)
}

/// Returns the traces of the spans.
fn traces<'s>(spans: impl Iterator<Item = &'s Span>) -> HashSet<&'s [u8]> {
    spans.map(|span| &*span.trace_id).collect()
}

/// Asserts the counts of a report: expected, delivered, lost, duplicated, altered and orphaned.
#[track_caller]
fn assert_counts(report: &Value, expected: [u64; 6]) {
    let keys = ["expected", "delivered", "lost", "duplicated", "altered", "orphaned"];
    let found = keys.map(|key| report[key].as_u64().unwrap_or_else(|| panic!("no {key}: {report}")));
    assert_eq!(found, expected, "{keys:?} {report:#}");
}

#[track_caller]
fn assert_verdict(report: &Value, exit: i32, faults: &[&str]) {
    let verdict = &report["verdict"];
    if faults.is_empty() {
        assert_eq!((verdict["is"].as_str(), exit), (Some("clean"), 0), "{report:#}");
    } else {
        assert_eq!((verdict["is"].as_str(), exit), (Some("short"), 1), "{report:#}");
        assert_eq!(verdict["of"], serde_json::json!(faults), "{report:#}");
    }
}

#[test]
fn a_run_that_went_through_whole_is_clean_in_every_store() {
    let (Some(server), Some(jaeger)) = (clickhouse(), Jaeger::start()) else { return };
    let connection = server.fresh();
    let outputs =
        vec![rows_of(server, &connection), Output::Otlp { port: jaeger.otlp_port() }, Output::Json, Output::Protobuf];
    let Some(mut collector) = Collector::with(outputs, &[]) else { return };
    let run = Run::sent(1, 2_000, "grpc", &collector.grpc_url());
    jaeger.wait_for(run.delivered);
    collector.stop();
    let spans = run.delivered;
    assert_eq!(count(&connection, "count() FROM otel_traces"), spans);
    assert_eq!(jaeger.spans(), spans);
    assert_eq!(counted(&collector.requests()).len() as u64, spans);
    let files = collector.files();
    assert_eq!(files.len(), 2);
    let (report, exit) = run.verified_by_variables(&connection);
    assert_verdict(&report, exit, &[]);
    assert_counts(&report, [spans, spans, 0, 0, 0, 0]);
    let stores = [url_of(&connection), format!("jaeger={}", jaeger.url())];
    for from in stores.into_iter().chain(files.iter().map(|file| path_of(file))) {
        let (report, exit) = run.verified(&from, &[]);
        assert_verdict(&report, exit, &[]);
        assert_counts(&report, [spans, spans, 0, 0, 0, 0]);
        assert_eq!(report["traces"]["whole"], 2_000, "{from}: {report:#}");
        assert_eq!(report["fields"], serde_json::json!([]), "{from}: {report:#}");
        let unexpected = if from.starts_with("jaeger=") { Value::Null } else { Value::from(0) };
        assert_eq!(report["unexpected"], unexpected, "{from}: {report:#}");
        let (text, ..) = run.verify(&from, &[]);
        assert_eq!(text.contains("not checked"), unexpected.is_null(), "{text}");
        assert!(text.ends_with("nothing is lost, doubled or changed\n"), "{text}");
    }
}

#[test]
fn the_particular_ways_in_which_stores_write_are_not_alterations() {
    let (Some(server), Some(jaeger)) = (clickhouse(), Jaeger::start()) else { return };
    let connection = server.fresh();
    let outputs = vec![rows_of(server, &connection), Output::Otlp { port: jaeger.otlp_port() }, Output::Json];
    let Some(mut collector) = Collector::with(outputs, &[]) else { return };
    let awkward = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/injected/awkward.yaml");
    let run = Run::of(awkward, 13, 50, "grpc", &collector.grpc_url());
    jaeger.wait_for(run.delivered);
    collector.stop();
    for from in [url_of(&connection), format!("jaeger={}", jaeger.url()), path_of(&collector.file())] {
        let (report, exit) = run.verified(&from, &[]);
        assert_verdict(&report, exit, &[]);
        assert_counts(&report, [run.delivered, run.delivered, 0, 0, 0, 0]);
    }
}
