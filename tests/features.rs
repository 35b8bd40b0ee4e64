//! What holds for every construct of the language: the scenarios of `tests/everything` use all of them at once.

mod support {
    pub mod binary;
    pub mod collector;
    pub mod ports;
}

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use support::binary::{json_requests, spans, tracegen};
use support::collector::read_delimited;

const FIXED: [&str; 7] = ["--seed", "42", "--start", "2026-01-01T00:00:00Z", "--rate", "40/s", "--quiet"];

fn features() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/everything")
}

/// Runs the scenarios into a file. Returns its content.
fn run(directory: &Path, name: &str, more: &[&str]) -> Vec<u8> {
    let file = directory.join(name);
    let to = format!("--exporter=file={}", file.display());
    tracegen().arg("run").args(FIXED).args(["--force", &to]).args(more).arg(features()).assert().success();
    fs::read(file).expect("the file was written")
}

#[test]
fn threads_and_formats_change_nothing_and_shards_together_are_the_whole() {
    let directory = tempfile::tempdir().expect("a directory");
    let count = ["--count", "3000"];
    let run = |name: &str, more: &[&str]| run(directory.path(), name, &[&count, more].concat());
    let one = run("one.bin", &["--threads", "1"]);
    for threads in ["2", "8"] {
        assert!(one == run("more.bin", &["--threads", threads]), "{threads} threads");
    }
    let whole = spans(&read_delimited(&one));
    let json = run("all.jsonl", &["--threads", "3"]);
    assert!(spans(&json_requests(std::str::from_utf8(&json).expect("JSON is UTF-8"))) == whole, "JSON and protobuf");
    let shard = |k: usize| spans(&read_delimited(&run("shard.bin", &["--shard", &format!("{k}/3")])));
    let mut parts: Vec<String> = (0..3).flat_map(shard).collect();
    parts.sort_unstable();
    assert!(parts == whole, "3 shards");
}

#[test]
fn each_trace_is_made_again_and_the_run_verifies_clean() {
    let directory = tempfile::tempdir().expect("a directory");
    let manifest = directory.path().join("run.json").display().to_string();
    let bytes = run(directory.path(), "all.bin", &["--count", "400", "--manifest", &manifest]);
    let all = spans(&read_delimited(&bytes));
    let ids: BTreeSet<&str> = all.iter().map(|span| &span[..32]).collect();
    assert_eq!(ids.len(), 400);
    for id in ids.iter().step_by(9) {
        let output = tracegen().args(["replay", id, "--manifest", &manifest]).assert().success();
        let again = spans(&json_requests(std::str::from_utf8(&output.get_output().stdout).expect("text")));
        assert!(again.iter().eq(all.iter().filter(|span| span.starts_with(id))), "{id}");
    }
    let json = directory.path().join("all.jsonl");
    run(directory.path(), "all.jsonl", &["--count", "400"]);
    for file in [directory.path().join("all.bin"), json] {
        let verify = ["verify", "--manifest", &manifest, "--from", &file.display().to_string()];
        tracegen().args(verify).assert().success();
    }
}

/// Each construct leaves its mark in what is sent, so that none is there in name only.
#[test]
fn the_scenarios_use_what_they_are_there_for() {
    let directory = tempfile::tempdir().expect("a directory");
    let bytes = run(directory.path(), "all.bin", &["--count", "3000"]);
    let all = spans(&read_delimited(&bytes)).join("\n");
    for mark in [
        "trace_state: \"ot=th:8\"",
        "ConnectionRefused",
        "\"timeout\"",
        "\"Declined\"",
        "PaymentFailed",
        "http.request.resend_count",
        "name: \"item\"",
        "name: \"looked\"",
        "name: \"ended\"",
        "filler.",
        "KvlistValue",
        "BytesValue",
        "shop-http",
        "order.newest",
        "1.5.0",
        "1.4.0",
        "Banned",
        "RateLimited",
    ] {
        assert!(all.contains(mark), "{mark}");
    }
    let links = |name: &str| all.lines().filter(|span| span.contains(name) && span.contains("links: [Link")).count();
    assert!(links("\"process orders\"") > 100 && links("\"pack\"") > 100, "links to earlier traces and inside of one");
}
