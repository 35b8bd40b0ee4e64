//! At full speed, with a collector that is away for three tenths of the time, memory stays flat and the account closes. The
//! test is ignored because it takes ten minutes: `make test-long`. `TRACEGEN_MEMORY_SECONDS` changes its duration.
#![cfg(target_os = "linux")]

mod support {
    pub mod collector;
    pub mod ports;
}

use serde_json::Value;
use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};
use support::collector::{Collector, Output};

/// Returns the maximum resident memory of a run on this machine in KiB: 32 MiB, and 8 MiB for each generating thread.
fn most_kib() -> u64 {
    let threads = thread::available_parallelism().map_or(1, |n| n.get() as u64);
    (32 + 8 * threads) << 10
}

/// The growth in KiB above the level before the collector went away that still counts as flat.
const GROWTH_KIB: u64 = 8 << 10;

/// Returns the resident memory of a process in KiB, or `None` if it has ended.
fn resident_kib(process: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix(" kB")?.parse().ok()
}

#[test]
#[ignore = "takes ten minutes"]
fn memory_is_flat_over_grpc() {
    flat("grpc");
}

#[test]
#[ignore = "takes ten minutes"]
fn memory_is_flat_over_http() {
    flat("http/protobuf");
}

fn flat(protocol: &str) {
    let Some(mut collector) = Collector::start(Output::Nop) else { return };
    let seconds = std::env::var("TRACEGEN_MEMORY_SECONDS").map_or(600, |s| s.parse().expect("seconds"));
    let lasts = Duration::from_secs(seconds);
    let url = if protocol == "grpc" { collector.grpc_url() } else { collector.http_url() };
    let mut child = Command::new(env!("CARGO_BIN_EXE_tracegen"))
        .env_clear()
        .args(["run", "--rate", "max", "--seed", "42", "--summary", "json", "--quiet"])
        .args(["--duration", &format!("{}s", lasts.as_secs()), "--endpoint", &url, "--protocol", protocol])
        // Some traces of the shipped scenarios last several minutes, and the end of a run waits for them.
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/brief"))
        .stdout(Stdio::piped())
        .spawn()
        .expect("the binary is built with the tests");
    let (began, mut away, mut samples) = (Instant::now(), None, vec![]);
    while let Some(kib) = resident_kib(child.id()) {
        let share = began.elapsed().as_secs_f64() / lasts.as_secs_f64();
        samples.push((share, kib));
        if share > 2.0 && began.elapsed() > lasts + Duration::from_secs(60) {
            child.kill().expect("it runs");
            panic!("it does not end");
        }
        if away.is_none() && share >= 0.35 {
            collector.kill();
            away = Some(true);
        } else if away == Some(true) && share >= 0.65 {
            collector.restart();
            away = Some(false);
        }
        thread::sleep(lasts / 600);
    }
    let output = child.wait_with_output().expect("it ran");
    let summary: Value = serde_json::from_slice(&output.stdout).expect("JSON");

    let most = |from: f64, to: f64| {
        samples.iter().filter(|(share, _)| (from..to).contains(share)).map(|(_, kib)| *kib).max().expect("samples")
    };
    let (before, during, after) = (most(0.1, 0.35), most(0.35, 0.65), most(0.65, f64::MAX));
    eprintln!("{protocol}: at most {before} KiB before, {during} KiB while away, {after} KiB after; {summary}");
    assert_eq!(output.status.code(), Some(0), "{summary}");
    assert_eq!(summary["delivered"], summary["generated"], "{summary}");
    assert_eq!(summary["undelivered"]["spans"], 0, "{summary}");
    assert!(summary["retries"].as_object().is_some_and(|causes| !causes.is_empty()), "it was never away: {summary}");
    assert!(during.max(after) <= before + GROWTH_KIB, "not flat");
    assert!(during.max(after).max(before) <= most_kib(), "too much");
}
