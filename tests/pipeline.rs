//! `tracegen run` through a real OpenTelemetry Collector: its output equals what `run --exporter file` writes.

mod support {
    pub mod binary;
    pub mod collector;
    pub mod ports;
}

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use std::time::Duration;
use support::binary::{brief, scenarios, spans, tracegen};
use support::collector::{Collector, Output, read_delimited};

const RUN: [&str; 7] = ["run", "--seed", "42", "--start", "2026-01-01T00:00:00Z", "--count", "3000"];

fn sent(collector: &Collector, protocol: &str, more: &[&str]) -> serde_json::Value {
    let endpoint = if protocol == "grpc" { collector.grpc_url() } else { collector.http_url() };
    let output = tracegen()
        .args(RUN)
        .args(["--protocol", protocol, "--endpoint", &endpoint, "--summary", "json"])
        .args(more)
        .arg(scenarios())
        .timeout(Duration::from_secs(300))
        .assert()
        .success();
    serde_json::from_slice(&output.get_output().stdout).expect("JSON")
}

fn in_file() -> Vec<ExportTraceServiceRequest> {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("a.bin");
    tracegen().args(RUN).arg(format!("--exporter=file={}", file.display())).arg(scenarios()).assert().success();
    read_delimited(&std::fs::read(file).expect("written"))
}

#[test]
fn the_output_of_a_collector_equals_the_file() {
    let expected = spans(&in_file());
    assert!(expected.len() > 15_000);
    for protocol in ["grpc", "http/protobuf", "http/json"] {
        let Some(mut collector) = Collector::start(Output::Json) else { return };
        let summary = sent(&collector, protocol, &[]);
        assert_eq!(summary["delivered"]["spans"], expected.len(), "{protocol}: {summary}");
        assert_eq!(summary["delivered"], summary["generated"], "{protocol}: {summary}");
        collector.stop();
        assert!(spans(&collector.requests()) == expected, "{protocol}: not the spans of the file");
    }
}

#[test]
fn a_collector_that_dies_and_comes_back_has_all_that_was_delivered() {
    let Some(mut collector) = Collector::start(Output::Json) else { return };
    let endpoint = collector.grpc_url();
    let child = std::process::Command::new(assert_cmd::cargo::cargo_bin("tracegen"))
        .args(["run", "--seed", "42", "--rate", "400/s", "--duration", "8s", "--endpoint", &endpoint])
        .args(["--protocol", "grpc", "--summary", "json", "--quiet"])
        .arg(brief())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .expect("started");
    for _ in 0..2 {
        std::thread::sleep(Duration::from_secs(2));
        collector.kill();
        std::thread::sleep(Duration::from_millis(500));
        collector.restart();
    }
    let output = child.wait_with_output().expect("it ends");
    let summary: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(output.status.code(), Some(0), "{summary} {}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(summary["delivered"], summary["generated"], "{summary}");
    assert_eq!(summary["generated"]["traces"], 3_200, "{summary}");
    collector.stop();
    let requests = collector.requests();
    let mut ids: Vec<_> = support::binary::bare_spans(&requests).map(|span| &span.span_id).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(summary["delivered"]["spans"], ids.len(), "nothing that was delivered is missing: {summary}");
}
