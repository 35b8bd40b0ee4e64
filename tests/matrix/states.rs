//! Runs in every state that `verify` can meet, with the traces that were sent and the manifest.

use crate::support::binary::{brief, tracegen};
use crate::support::collector::read_delimited;
use crate::support::process::Running;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use std::fs;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// A run as it was at one moment.
pub struct Snapshot {
    pub folder: TempDir,
    pub sent: Vec<ExportTraceServiceRequest>,
    /// The run has not written its end.
    pub open: bool,
}

impl Snapshot {
    fn of(live: &Live, open: bool) -> Snapshot {
        let folder = tempfile::tempdir().expect("a folder");
        // Before the file: a trace that is there is one that the manifest knows.
        fs::copy(live.path("run.json"), folder.path().join("run.json")).expect("copied");
        Snapshot { folder, sent: live.sent(), open }
    }

    pub fn manifest(&self) -> PathBuf {
        self.folder.path().join("run.json")
    }
}

/// A run that goes on and writes to a file.
pub struct Live {
    folder: TempDir,
    running: Option<Running>,
}

/// The ways in which a run ends by itself; none of them happens during a test.
pub const BOUNDS: [&[&str]; 3] = [&["--duration", "1h"], &["--count", "100000"], &[]];

impl Live {
    pub fn start(seed: u64, bound: &[&str]) -> Live {
        let folder = tempfile::tempdir().expect("a folder");
        let (seed, file, manifest) = (seed.to_string(), output(folder.path()), manifest(folder.path()));
        let given = ["--seed", &seed, "--rate", "100/s", "--start", "-2s", "--threads", "1", &file, &manifest];
        Live { running: Some(Running::start(&[&given, bound].concat())), folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Returns the complete requests so far.
    fn sent(&self) -> Vec<ExportTraceServiceRequest> {
        read_delimited(&fs::read(self.path("sent.bin")).unwrap_or_default())
    }

    /// Returns the run while it goes on.
    pub fn going_on(&self) -> Snapshot {
        let begun = Instant::now();
        while self.sent().len() < 2 {
            assert!(begun.elapsed() < Duration::from_secs(60), "it sends nothing");
            sleep(Duration::from_millis(20));
        }
        Snapshot::of(self, true)
    }

    /// Returns the run after Ctrl-C.
    pub fn stopped(&mut self) -> Snapshot {
        self.going_on();
        self.end("INT");
        Snapshot::of(self, false)
    }

    pub fn killed(&mut self) -> Snapshot {
        self.going_on();
        self.end("KILL");
        Snapshot::of(self, true)
    }

    /// Returns the run after it was stopped, resumed, and stopped again.
    pub fn resumed(&mut self) -> Snapshot {
        let before = self.stopped().sent.len();
        let resume = format!("--resume={}", self.path("run.json").display());
        self.running = Some(Running::resume(&["--threads", "1", &output(self.folder.path()), &resume]));
        let begun = Instant::now();
        while self.sent().len() == before {
            assert!(begun.elapsed() < Duration::from_secs(60), "it goes on with nothing");
            sleep(Duration::from_millis(20));
        }
        self.end("INT");
        Snapshot::of(self, false)
    }

    fn end(&mut self, signal: &str) {
        let running = self.running.take().expect("it goes on");
        running.signal(signal);
        running.wait();
    }
}

fn output(folder: &Path) -> String {
    format!("--exporter=file={}", folder.join("sent.bin").display())
}

fn manifest(folder: &Path) -> String {
    format!("--manifest={}", folder.join("run.json").display())
}

/// Makes a complete run of several shards, with their manifests merged.
pub fn merged(seed: u64) -> Snapshot {
    let (folder, shards) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    let mut sent = vec![];
    for shard in ["0/2", "1/2"] {
        let part = shards.path().join(format!("{}.json", &shard[..1]));
        tracegen()
            .args([
                "run",
                "--quiet",
                "--seed",
                &seed.to_string(),
                "--shard",
                shard,
                "--count",
                "200",
                "--rate",
                "100/s",
            ])
            .args(["--start", "2026-01-01", &output(shards.path()), "--manifest"])
            .arg(part)
            .arg(brief())
            .assert()
            .success();
        sent.extend(read_delimited(&fs::read(shards.path().join("sent.bin")).expect("written")));
        fs::remove_file(shards.path().join("sent.bin")).expect("removed");
    }
    tracegen().arg("merge").arg(shards.path()).arg("-o").arg(folder.path().join("run.json")).assert().success();
    Snapshot { folder, sent, open: false }
}
