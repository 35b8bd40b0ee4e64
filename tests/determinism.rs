//! The same seed and start give the same bytes, on any number of threads and in any number of shards.

mod support {
    pub mod binary;
    pub mod collector;
    pub mod ports;
}

use std::collections::BTreeSet;
use std::path::Path;
use support::binary::{bare_spans, json_requests, scenarios, spans, tracegen};
use support::collector::read_delimited as requests;

/// Writes 10,000 traces of the shipped scenarios to a file.
fn run(directory: &Path, name: &str, more: &[&str]) -> Vec<u8> {
    let file = directory.join(name);
    tracegen()
        .args(["run", "--seed", "42", "--start", "2026-01-01T00:00:00Z", "--count", "10000", "--quiet", "--force"])
        .arg(format!("--exporter=file={}", file.display()))
        .args(more)
        .arg(scenarios())
        .assert()
        .success();
    std::fs::read(file).expect("the file was written")
}

#[test]
fn threads_change_no_byte() {
    let directory = tempfile::tempdir().expect("a directory");
    let one = run(directory.path(), "1.bin", &["--threads", "1"]);
    assert_eq!(bare_spans(&requests(&one)).map(|s| &s.trace_id).collect::<BTreeSet<_>>().len(), 10_000);
    for threads in ["2", "8"] {
        assert!(one == run(directory.path(), "n.bin", &["--threads", threads]), "{threads} threads");
    }
    let json = run(directory.path(), "1.jsonl", &["--threads", "1"]);
    assert!(json == run(directory.path(), "3.jsonl", &["--threads", "3"]));
    let json = json_requests(std::str::from_utf8(&json).expect("JSON is UTF-8"));
    assert!(spans(&json) == spans(&requests(&one)), "JSON and protobuf hold the same spans");
}

#[test]
fn shards_together_are_the_whole() {
    let directory = tempfile::tempdir().expect("a directory");
    let whole = spans(&requests(&run(directory.path(), "whole.bin", &[])));
    for n in [3, 7] {
        let mut all = vec![];
        for k in 0..n {
            let bytes = run(directory.path(), "shard.bin", &["--shard", &format!("{k}/{n}"), "--threads", "2"]);
            all.extend(spans(&requests(&bytes)));
        }
        all.sort_unstable();
        assert!(all == whole, "{n} shards");
    }
}

#[test]
fn another_seed_start_or_schedule_gives_other_ids() {
    let directory = tempfile::tempdir().expect("a directory");
    let ids = |more: &[&str]| {
        let file = directory.path().join("ids.bin");
        tracegen()
            .args(["run", "--count", "200", "--quiet", "--force"])
            .arg(format!("--exporter=file={}", file.display()))
            .args(more)
            .arg(scenarios())
            .assert()
            .success();
        let requests = requests(&std::fs::read(&file).expect("the file was written"));
        bare_spans(&requests).map(|span| span.trace_id.clone()).collect::<BTreeSet<_>>()
    };
    let base = ids(&["--seed", "1", "--start", "2026-01-01", "--rate", "10/s"]);
    assert_eq!(base, ids(&["--seed", "1", "--start", "2026-01-01", "--rate", "10/s"]));
    for other in [
        ["--seed", "2", "--start", "2026-01-01", "--rate", "10/s"],
        ["--seed", "1", "--start", "2026-01-02", "--rate", "10/s"],
        ["--seed", "1", "--start", "2026-01-01", "--rate", "11/s"],
    ] {
        assert!(base.is_disjoint(&ids(&other)), "{other:?}");
    }
}

#[test]
fn nothing_of_the_environment_enters_spans() {
    let directory = tempfile::tempdir().expect("a directory");
    let plain = run(directory.path(), "plain.bin", &[]);
    let file = directory.path().join("odd.bin");
    tracegen()
        .args(["run", "--seed", "42", "--start", "2026-01-01T00:00:00Z", "--count", "10000", "--quiet"])
        .arg(format!("--exporter=file={}", file.display()))
        .arg(scenarios())
        .envs([("OTEL_SERVICE_NAME", "odd"), ("OTEL_RESOURCE_ATTRIBUTES", "a=b"), ("TZ", "Asia/Tokyo")])
        .envs([("LANG", "tr_TR.UTF-8"), ("HOSTNAME", "odd")])
        .assert()
        .success();
    assert!(plain == std::fs::read(file).expect("a file"));
}
