//! `--rate` is met, to the nanosecond in the traces; a rate that can't be met is reported at once.

mod support {
    pub mod binary;
}

use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::Duration;
use support::binary::{bare_spans, brief, json_requests, tracegen};

#[test]
fn a_rate_is_met() {
    // A busy machine may be late, but not every time.
    let mut runs = (0..10).map(|_| run_at_a_rate());
    assert!(runs.any(|(achieved, p50)| (495.0..=500.0).contains(&achieved) && p50 < 20_000_000));
}

/// Runs at 500 traces a second, and returns the achieved rate and the median of the lateness in ns.
fn run_at_a_rate() -> (f64, u64) {
    let output = tracegen()
        .args(["run", "--seed", "42", "--rate", "500/s", "--duration", "3s", "--exporter", "none"])
        .args(["--summary", "json", "--quiet"])
        .arg(brief())
        .timeout(Duration::from_secs(120))
        .output()
        .unwrap();
    let summary: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(summary["generated"]["traces"], 1_500, "{summary}");
    let achieved = summary["rate"]["achieved"].as_f64().unwrap();
    let took = summary["seconds"].as_f64().unwrap();
    assert!((2.9..60.0).contains(&took), "it waits for its time: {summary}");
    let late = &summary["lateness_ns"];
    let at = |quantile: &str| late[quantile].as_u64().unwrap();
    assert!(late["traces"].as_u64() > Some(1_400), "all but what ended before it began: {summary}");
    assert!(0 < at("p50") && at("p50") <= at("p99") && at("p99") <= at("max"), "{summary}");
    (achieved, at("p50"))
}

#[test]
fn starts_are_even_to_the_nanosecond() {
    let output = tracegen()
        .args(["run", "--seed", "42", "--start", "2026-01-01T00:00:00Z", "--rate", "3000/s", "--count", "1000"])
        .args(["--exporter", "file=-", "--quiet"])
        .arg(brief())
        .timeout(Duration::from_secs(120))
        .output()
        .unwrap();
    let requests = json_requests(&String::from_utf8(output.stdout).unwrap());
    let roots = bare_spans(&requests).filter(|span| span.parent_span_id.is_empty());
    let mut starts: Vec<u64> = roots.map(|span| span.start_time_unix_nano).collect();
    starts.sort_unstable();
    let expected: Vec<u64> = (0..1_000).map(|i| 1_767_225_600_000_000_000 + i * 1_000_000_000 / 3_000).collect();
    assert_eq!(starts, expected);
}

#[cfg(unix)]
#[test]
fn a_rate_that_cannot_be_met_is_reported_at_once() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_tracegen"))
        .args(["run", "--seed", "42", "--rate", "100000000/s", "--exporter", "none", "--summary", "json"])
        .arg(brief())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
    let line = lines.find(|line| line.contains(" late")).expect("it says so");
    assert!(line.contains(" of 100 M traces/s, "), "{line}");
    assert!(!line.contains("   0 of"), "{line}");
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    let said: Vec<String> = lines.collect();
    let output = child.wait_with_output().unwrap();
    let summary: Value = serde_json::from_slice(&output.stdout).unwrap();
    let (target, achieved) = (summary["rate"]["target"].as_f64(), summary["rate"]["achieved"].as_f64());
    assert_eq!(target, Some(1e8), "{summary}");
    assert!(achieved.is_some_and(|achieved| 0.0 < achieved && achieved < 5e7), "{summary}");
    assert!(said.iter().any(|line| line.contains("achieved") && line.contains("lateness p50")), "{said:?}");
}
