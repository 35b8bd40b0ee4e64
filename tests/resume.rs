//! Backfill: a run that starts in the past goes on in real time without a seam. Resume: the parts of a stopped and resumed
//! run together equal the run in one go.
#![cfg(target_os = "linux")]

mod support {
    pub mod binary;
    pub mod collector;
    pub mod folder;
    pub mod peer;
    pub mod ports;
    pub mod process;
    pub mod requests;
}

use std::fs::{self, File};
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use support::binary::{bare_spans, scenarios, spans, tracegen};
use support::collector::{Collector, Output, read_delimited};
use support::folder::Folder;
use support::peer::{Answer, Peer};
use support::process::Running;
use tracegen::interpreter::{Identity, Interpreter};
use tracegen::journal::{Archive, Manifest};

/// The kinds of arrivals, each at about 600 traces a second.
const ARRIVALS: [&[&str]; 3] =
    [&["--rate", "600/s"], &["--rate", "600/s", "--arrivals", "poisson"], &["--interval", "2ms..18ms", "--lanes", "6"]];

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_nanos() as u64
}

/// Returns the time `ms` ms from now, as `--start` takes it.
fn at(ms: i64) -> String {
    let time = (now() / 1_000_000) as i64 + ms;
    jiff::Timestamp::from_millisecond(time).expect("a time").to_string()
}

fn manifest_at(path: &Path) -> Manifest {
    Manifest::read(File::open(path).expect("a manifest")).expect("a manifest")
}

/// Returns, for each index, how many of the sent spans are the root of that trace.
fn roots(manifest: &Manifest, spans: &[u64]) -> Vec<u64> {
    let identity = Identity::new(manifest.seed, u32::from_str_radix(&manifest.tag, 16).expect("a tag"));
    let decoded = spans.iter().map(|id| identity.decode_span(id + 1).expect("a span of the run"));
    let mut indices: Vec<u64> = decoded.filter(|(_, ordinal)| *ordinal == 0).map(|(index, _)| index).collect();
    indices.sort_unstable();
    indices
}

/// A folder with a manifest and a file of traces.
impl Folder {
    fn argument(&self, flag: &str, name: &str) -> String {
        format!("--{flag}={}", self.path(name).display())
    }

    /// Returns every span of a file as text.
    fn spans(&self, name: &str) -> Vec<String> {
        spans(&read_delimited(&fs::read(self.path(name)).expect("a file")))
    }
}

/// Returns pseudo-random pauses, which are the same each time.
fn pauses() -> impl Iterator<Item = Duration> {
    let step = |x: &u64| Some(x.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407));
    std::iter::successors(Some(7), step).map(|x| Duration::from_millis(150 + (x >> 33) % 700))
}

/// Stops and resumes a run until it is complete; `output` is the destination of each part. Returns how often it was
/// stopped.
fn in_parts(folder: &Folder, run: &[&str], output: &str) -> usize {
    let manifest = folder.argument("manifest", "run.json");
    let first = Running::start(&[run, &["--threads", "2", output, &manifest]].concat());
    let mut running = first;
    for (stops, pause) in pauses().enumerate() {
        let status = running.interrupt_after(pause);
        let ended = manifest_at(&folder.path("run.json"));
        if ended.eras.iter().all(|era| era.stopped.is_none()) {
            assert_eq!(status, Some(0));
            return stops;
        }
        assert_eq!(status, Some(130));
        running = Running::resume(&["--threads=2", output, &folder.argument("resume", "run.json")]);
    }
    unreachable!("pauses don't end")
}

#[test]
fn a_run_in_parts_is_the_run_in_one_go() {
    for arrivals in ARRIVALS {
        let folder = Folder::new();
        let (start, until) = (at(-1_500), at(5_000));
        let run = [&["--seed", "7", "--start", &start, "--until", &until], arrivals].concat();
        let stops = in_parts(&folder, &run, &folder.argument("exporter=file", "parts.bin"));
        assert!(stops > 0, "it was not stopped");
        let whole = [folder.argument("exporter=file", "whole.bin"), folder.argument("manifest", "whole.json")];
        assert_eq!(Running::start(&[&run[..], &[&whole[0], &whole[1]]].concat()).wait(), Some(0));
        let (parts, whole) = (folder.spans("parts.bin"), folder.spans("whole.bin"));
        assert!(parts.len() > 5_000 && parts == whole, "{arrivals:?}: {} spans of {}", parts.len(), whole.len());
        // The manifest equals that of the run in one go, except for the time of the end and the number of requests.
        let [mut parts, mut whole] = ["run.json", "whole.json"].map(|name| manifest_at(&folder.path(name)));
        (parts.destination, whole.destination) = (None, None);
        for totals in [&mut parts, &mut whole].map(|manifest| manifest.ended.as_mut().expect("it has ended")) {
            totals.time = 0;
            let account = totals.account.as_mut().expect("an account");
            (account.requests, account.bytes) = (0, 0);
        }
        assert_eq!(parts, whole);
    }
}

#[test]
fn a_stopped_and_resumed_run_arrives_once() {
    for arrivals in ARRIVALS {
        let (folder, peer) = (Folder::new(), Peer::start(|_| Answer::Take));
        let (start, until) = (at(-1_500), at(5_000));
        let run = [&["--seed", "7", "--start", &start, "--until", &until, "--shard", "1/2"], arrivals].concat();
        assert!(in_parts(&folder, &run, &format!("--endpoint={}", peer.url())) > 0);
        let manifest = manifest_at(&folder.path("run.json"));
        let end = manifest.eras[0].end.expect("an end");
        let expected: Vec<u64> = (0..end).filter(|index| index % 2 == 1).collect();
        assert_eq!(roots(&manifest, &peer.spans()), expected, "{arrivals:?}");
        assert_eq!(peer.spans().len(), peer.distinct_spans().len());
        let totals = manifest.ended.expect("it has ended");
        assert_eq!((totals.traces, totals.spans), (expected.len() as u64, peer.spans().len() as u64));
    }
}

#[test]
fn a_collector_gets_a_run_in_parts_completely() {
    let Some(collector) = Collector::start(Output::Protobuf) else { return };
    let folder = Folder::new();
    let (start, until) = (at(-1_000), at(1_500));
    let run = ["--seed", "7", "--start", &start, "--until", &until, "--rate", "400/s"];
    assert!(in_parts(&folder, &run, &format!("--endpoint={}", collector.http_url())) > 0);
    assert_eq!(Running::start(&[&run[..], &[&folder.argument("exporter=file", "whole.bin")]].concat()).wait(), Some(0));
    assert!(spans(&collector.requests()) == folder.spans("whole.bin"));
    let run = folder.argument("manifest", "run.json");
    tracegen().args(["verify", "--quiet", &run, "--from"]).arg(collector.file()).assert().success();
}

/// The schedule of a run at full speed is made while it runs, and continues where it was.
#[test]
fn full_speed_is_resumed() {
    let (folder, peer) = (Folder::new(), Peer::start(|_| Answer::Take));
    let run = ["--seed", "7", "--rate", "max", "--count", "30000"];
    let stops = in_parts(&folder, &run, &format!("--endpoint={}", peer.url()));
    let manifest = manifest_at(&folder.path("run.json"));
    assert_eq!(roots(&manifest, &peer.spans()), (0..30_000).collect::<Vec<u64>>(), "stopped {stops} times");
    assert!(manifest.full_speed && manifest.eras.len() > stops);
    assert_eq!(peer.distinct_spans().len() as u64, manifest.ended.as_ref().expect("it has ended").spans);
    // Traces of all parts are found again.
    let (mut archive, sent) = (Archive::open(&manifest).expect("it belongs together"), peer.distinct_spans());
    for index in (0..30_000).step_by(100) {
        let (_, trace) = archive.remake(index).expect("a trace");
        assert!(trace.spans.iter().all(|span| sent.contains(&(span.id - 1))), "{index}");
    }
}

#[test]
fn the_past_goes_over_into_the_present_without_a_seam() {
    for arrivals in ARRIVALS {
        let (folder, peer) = (Folder::new(), Peer::start(|_| Answer::Take));
        let (start, until) = (at(-8_000), at(4_000));
        let out = [format!("--endpoint={}", peer.url()), folder.argument("manifest", "run.json")];
        let run = ["--seed", "7", "--start", &start, "--until", &until, &out[0], &out[1]];
        assert_eq!(Running::start(&[&run[..], arrivals].concat()).wait(), Some(0));
        let manifest = manifest_at(&folder.path("run.json"));
        let (before, ended) =
            (manifest.selection.started_before.expect("an end"), manifest.ended.as_ref().expect("it has ended"));
        assert!(ended.time >= before, "it ran ahead of time");
        // Every index is there once, up to the last one that starts in time.
        let (end, mut archive) = (manifest.eras[0].end.expect("an end"), Archive::open(&manifest).expect("a run"));
        let mut interpreter = Interpreter::new(&archive.run(0).expect("a run"));
        let expected: Vec<u64> = (0..end).filter(|index| interpreter.start(*index) < before).collect();
        assert!(expected.len() > 7_000 && end - (expected.len() as u64) < 20, "{} of {end}", expected.len());
        assert_eq!(roots(&manifest, &peer.spans()), expected, "{arrivals:?}");
        assert_eq!(peer.spans().len(), peer.distinct_spans().len());
        // No trace was sent before its end, and traces that ended during the run were sent soon after.
        let taken = peer.taken();
        assert!(taken.iter().all(|taken| taken.last_end <= taken.at), "{arrivals:?}");
        let live = taken.iter().filter(|taken| taken.last_end > before - 1_000_000_000);
        let mut late: Vec<u64> = live.map(|taken| taken.at - taken.last_end).collect();
        late.sort_unstable();
        assert!(late.len() > 3 && late[late.len() / 2] < 1_000_000_000, "{arrivals:?}: {late:?} ns late");
    }
}

#[test]
fn a_backfill_ends_now() {
    let folder = Folder::new();
    let begun = now();
    let out = [folder.argument("exporter=file", "all.bin"), folder.argument("manifest", "run.json")];
    let run = ["--seed", "7", "--start=-2h", "--until", "now", "--rate", "2/s", &out[0], &out[1]];
    assert_eq!(Running::start(&run).wait(), Some(0));
    let manifest = manifest_at(&folder.path("run.json"));
    let before = manifest.selection.started_before.expect("an end");
    assert!(before.abs_diff(begun) < 20_000_000_000);
    // It is 2 h at 2/s; the trace that would start right now is not included.
    let requests = read_delimited(&fs::read(folder.path("all.bin")).expect("a file"));
    let starts = bare_spans(&requests).filter(|s| s.parent_span_id.is_empty()).map(|s| s.start_time_unix_nano);
    let starts: Vec<u64> = starts.collect();
    assert_eq!(starts.len(), 14_400);
    assert!(starts.iter().all(|start| *start < before) && starts.contains(&(before - 500_000_000)));
}

#[test]
fn runs_that_cannot_be_resumed_are_refused_with_the_reason() {
    let folder = Folder::new();
    let path = folder.path("run.json").display().to_string();
    let refused = |more: &[&str], status: i32, why: &str| {
        let output = tracegen().args(["run", "--exporter", "none", "--resume", &path]).args(more).assert().code(status);
        let said = String::from_utf8_lossy(&output.get_output().stderr).into_owned();
        assert!(said.contains(why), "{why} / {said}");
    };
    refused(&[], 3, "No such file");
    fs::write(&path, "{}").expect("written");
    refused(&[], 3, "not a manifest");
    fs::remove_file(&path).expect("removed");
    let manifest = folder.argument("manifest", "run.json");
    let complete = ["--seed", "7", "--start=2026-01-01", "--rate=10/s", "--exporter=none", &manifest];
    for end in ["--count=50", "--duration=5s", "--until=2026-01-01T00:00:05Z"] {
        assert_eq!(Running::start(&[&complete[..], &[end]].concat()).wait(), Some(0));
        let before = fs::read(&path).expect("a manifest");
        refused(&[], 0, "its run is complete, nothing is left to send");
        assert_eq!(fs::read(&path).expect("a manifest"), before, "it is left alone");
    }
    for flags in [&["--seed", "7"][..], &["--count", "9"], &["--start", "now"], &[scenarios().to_str().expect("text")]]
    {
        refused(flags, 2, "cannot be used with");
    }
    // The run was killed, so it is unknown what it sent.
    let running = Running::start(&["--seed=7", "--rate=100/s", "--exporter=none", &manifest]);
    running.signal("KILL");
    assert_eq!(running.wait(), None);
    refused(&[], 3, "it has no end: its run goes on, or was killed");
    // The run was changed, as `serve` changes runs.
    let running = Running::start(&["--seed=7", "--rate=100/s", "--exporter=none", &manifest]);
    assert_eq!(running.interrupt_after(Duration::from_millis(300)), Some(0));
    let mut changed = manifest_at(Path::new(&path));
    let mut next = changed.eras[0].clone();
    (next.epoch.first, next.end) = (next.end.expect("an end"), next.end.map(|end| end + 10));
    changed.eras.push(next);
    changed.save(Path::new(&path)).expect("saved");
    refused(&[], 3, "its plan, weights or pace changed while it ran");
}

/// A clock that is a day behind may have been corrected since; one that is further behind is wrong.
#[test]
fn a_run_is_resumed_by_a_clock_that_is_a_day_behind_and_by_none_that_is_farther() {
    let folder = Folder::new();
    let (manifest, path) = (folder.argument("manifest", "run.json"), folder.path("run.json"));
    let running = Running::start(&["--seed=7", "--rate=100/s", "--count=1000000", "--exporter=none", &manifest]);
    assert_eq!(running.interrupt_after(Duration::from_millis(300)), Some(130));
    let stopped = manifest_at(&path);
    let hour = 3_600_000_000_000;
    let stopped_in = |hours: u64| {
        let mut later = stopped.clone();
        later.eras.iter_mut().for_each(|era| era.stopped = Some(now() + hours * hour));
        later.save(&path).expect("saved");
    };
    let resume = folder.argument("resume", "run.json");
    stopped_in(25);
    let output = tracegen().args(["run", "--exporter=none", &resume]).assert().code(3);
    let said = String::from_utf8_lossy(&output.get_output().stderr).into_owned();
    assert!(said.contains("clock has not reached by far: set the clock right (it lacks "), "{said}");
    stopped_in(23);
    let before = now();
    let resumed = Running::resume(&["--exporter=none", &resume]);
    assert_eq!(resumed.interrupt_after(Duration::from_millis(300)), Some(130));
    let again = manifest_at(&path).eras.last().and_then(|era| era.stopped).expect("it was stopped");
    assert!(again > before + 22 * hour, "its time went back to that of the clock");
}

#[test]
fn spans_that_were_lost_before_are_not_sent_again_and_are_reported() {
    let (folder, peer) = (Folder::new(), Peer::start(|n| if n == 0 { Answer::Http(400, None) } else { Answer::Take }));
    let (manifest, endpoint) = (folder.argument("manifest", "run.json"), format!("--endpoint={}", peer.url()));
    let protocol = "--protocol=http/protobuf";
    let run = ["--seed=7", "--start=-1s", "--rate=300/s", "--duration=30s", &endpoint, protocol, &manifest];
    let running = Running::start(&run);
    while peer.spans().is_empty() {
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(running.interrupt_after(Duration::ZERO), Some(1), "rejected beats interrupted");
    let account = manifest_at(&folder.path("run.json")).ended.expect("an end").account.expect("an account");
    let rejected = account.total_rejected().spans;
    assert!(rejected > 0 && account.delivered.spans + rejected == account.generated.spans, "{account:?}");
    let resumed = Running::resume(&[&folder.argument("resume", "run.json"), &endpoint, protocol]);
    while peer.spans().len() as u64 <= account.delivered.spans {
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(resumed.interrupt_after(Duration::ZERO), Some(130));
    let after = manifest_at(&folder.path("run.json")).ended.expect("an end").account.expect("an account");
    assert_eq!(after.total_rejected().spans, rejected);
    assert!(after.delivered.spans > account.delivered.spans);
    assert_eq!(after.delivered.spans, peer.spans().len() as u64);
    let again =
        ["run", "--exporter", "none", "--resume", folder.path("run.json").to_str().expect("text")].map(String::from);
    let mut command = std::process::Command::new(assert_cmd::cargo::cargo_bin("tracegen"));
    let child = command.args(again).stderr(std::process::Stdio::piped()).stdout(std::process::Stdio::null()).spawn();
    let mut child = child.expect("started");
    support::process::listens(&mut child);
    std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status().expect("kill is there");
    let said = child.wait_with_output().expect("its output").stderr;
    let said = String::from_utf8_lossy(&said);
    let told = format!("{rejected} spans were not delivered before it was stopped");
    assert!(said.replace(',', "").contains(&told), "{said}");
}
