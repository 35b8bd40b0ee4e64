//! Shards in processes and networks of their own equal the whole run, and so do their manifests.
#![cfg(target_os = "linux")]

mod support {
    pub mod binary;
    pub mod collector;
    pub mod ports;
    pub mod process;
}

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use support::binary::{bare_spans, brief, json_requests, spans, tracegen};
use support::collector::read_delimited;
use support::process::Running;
use tempfile::TempDir;
use tracegen::journal::{Archive, Identified, Manifest};

const SHARDS: u64 = 3;

/// A run in three shards.
struct Shards {
    folder: TempDir,
    /// All flags except for the shard and the destination.
    run: Vec<String>,
}

impl Shards {
    /// Makes a run from `begin` to `end` ms after now, at 400 traces a second.
    fn new(begin: i64, end: i64) -> Shards {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_millis() as i64;
        let at = |ms: i64| jiff::Timestamp::from_millisecond(now + ms).expect("a time").to_string();
        let run = ["--seed=7", "--rate=400/s", &format!("--start={}", at(begin)), &format!("--until={}", at(end))];
        let folder = tempfile::tempdir().expect("a folder");
        fs::create_dir(folder.path().join("shards")).expect("a folder");
        Shards { folder, run: run.map(String::from).to_vec() }
    }

    fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.folder.path().join(name)
    }

    fn manifest_of(&self, k: u64) -> String {
        self.path(format!("shards/{k}.json")).display().to_string()
    }

    /// Returns the flags of shard `k`.
    fn flags(&self, k: u64) -> Vec<String> {
        let mut flags = self.run.clone();
        flags.extend([format!("--shard={k}/{SHARDS}"), format!("--manifest={}", self.manifest_of(k))]);
        flags
    }

    /// Starts shard `k`, which writes to a file of its own.
    fn start(&self, k: u64) -> Running {
        let mut flags = self.flags(k);
        flags.push(format!("--exporter=file={}", self.path(format!("{k}.bin")).display()));
        Running::start(&flags)
    }

    /// Merges manifests, and returns the exit status and the messages.
    fn merge(&self, manifests: &[&str]) -> (i32, String) {
        let output =
            tracegen().arg("merge").args(manifests).arg("-o").arg(self.path("run.json")).output().expect("it runs");
        (output.status.code().expect("a status"), String::from_utf8_lossy(&output.stderr).into_owned())
    }

    fn merged(&self) -> Manifest {
        read(&self.path("run.json"))
    }

    /// Verifies files against the merged manifest, and returns the exit status and the report.
    fn verify(&self, files: &[PathBuf]) -> (i32, serde_json::Value) {
        let manifest = self.path("run.json").display().to_string();
        let mut command = tracegen();
        command.args(["verify", "--quiet", "--format=json", "--manifest", &manifest]);
        let output = command.arg("--from").args(files).output().expect("it runs");
        let report = serde_json::from_slice(&output.stdout).unwrap_or_default();
        (output.status.code().expect("a status"), report)
    }

    fn files(&self) -> Vec<PathBuf> {
        (0..SHARDS).map(|k| self.path(format!("{k}.bin"))).collect()
    }

    /// Compares the spans of the shards' files with those of the run without shards.
    fn check_against_whole(&self, mut parts: Vec<String>) {
        let (file, manifest) = (self.path("whole.bin"), self.path("whole.json"));
        let to = [format!("--exporter=file={}", file.display()), format!("--manifest={}", manifest.display())];
        assert_eq!(Running::start(&[&self.run[..], &to].concat()).wait(), Some(0));
        parts.sort_unstable();
        let whole = spans(&read_delimited(&fs::read(file).expect("a file")));
        assert!(whole.len() > 2_000 && parts == whole, "{} of {}", parts.len(), whole.len());
        let [mut merged, mut whole] = [self.merged(), read(&manifest)];
        whole.destination = None;
        for totals in [&mut merged, &mut whole].map(|manifest| manifest.ended.as_mut().expect("it has ended")) {
            (totals.time, totals.account) = (0, None);
        }
        assert_eq!(merged, whole, "as if it had been one process");
    }
}

fn read(path: &Path) -> Manifest {
    Manifest::read(File::open(path).expect("a manifest")).expect("a manifest")
}

#[test]
fn shards_in_processes_of_their_own_are_one_run() {
    let shards = Shards::new(-2_000, 1_500);
    let running: Vec<Running> = (0..SHARDS).map(|k| shards.start(k)).collect();
    assert!(running.into_iter().all(|shard| shard.wait() == Some(0)));
    let folder = shards.path("shards").display().to_string();
    let (exit, said) = shards.merge(&[&folder]);
    let manifest = shards.merged();
    assert!(exit == 0 && said.starts_with("tracegen: 3 of 3 shards, 1,400 traces, "), "{exit} {said}");
    let parts: Vec<Vec<String>> = (0..SHARDS)
        .map(|k| spans(&read_delimited(&fs::read(shards.path(format!("{k}.bin"))).expect("a file"))))
        .collect();
    // The shards are verified as one run. Without one of them, its spans are lost.
    let (exit, report) = shards.verify(&shards.files());
    assert!(exit == 0 && report["lost"] == 0 && report["unexpected"] == 0, "{report}");
    let (exit, report) = shards.verify(&shards.files()[1..]);
    assert!(exit == 1 && report["lost"] == parts[0].len() && report["orphaned"] == 0, "{report}");
    let account = manifest.ended.expect("it has ended").account.expect("an account");
    assert_eq!(account.delivered.spans, parts.iter().map(Vec::len).sum::<usize>() as u64);
    shards.check_against_whole(parts.concat());
    // Without an output file, the manifest goes to stdout.
    let output = tracegen().arg("merge").arg(&folder).assert().success();
    assert_eq!(output.get_output().stdout, fs::read(shards.path("run.json")).expect("a manifest"));
}

#[test]
fn a_shard_that_was_stopped_is_expected_up_to_its_stop() {
    let shards = Shards::new(-2_000, 8_000);
    let mut running: Vec<Running> = (0..SHARDS).map(|k| shards.start(k)).collect();
    let stopped = running.remove(1);
    assert_eq!(stopped.interrupt_after(Duration::from_millis(1_200)), Some(130));
    assert!(running.into_iter().all(|shard| shard.wait() == Some(0)));
    let names = [2, 0, 1].map(|k| shards.manifest_of(k));
    let (exit, said) = shards.merge(&names.each_ref().map(String::as_str));
    assert_eq!(exit, 0, "{said}");
    let manifest = shards.merged();
    let mut archive = Archive::open(&manifest).expect("it belongs together");
    let sent: BTreeSet<u64> = (0..SHARDS)
        .flat_map(|k| {
            let requests = read_delimited(&fs::read(shards.path(format!("{k}.bin"))).expect("a file"));
            let ids = bare_spans(&requests).map(|span| <[u8; 16]>::try_from(&span.trace_id[..]).expect("an id"));
            let index = |id| match archive.identify(id) {
                Identified::Ours { index } => index,
                other => panic!("{other:?}"),
            };
            ids.map(index).collect::<Vec<u64>>()
        })
        .collect();
    let end = manifest.eras.iter().filter_map(|era| era.end).max().expect("an end");
    let expected: BTreeSet<u64> = (0..end)
        .filter(|index| {
            let stopped = archive.era(*index).and_then(|era| era.stopped);
            archive.remake(*index).is_some_and(|(_, trace)| stopped.is_none_or(|stopped| trace.end <= stopped))
        })
        .collect();
    let by_shard = |k| sent.iter().filter(|index| *index % SHARDS == k).count();
    assert!(by_shard(1) > 100 && by_shard(1) < by_shard(0), "{} {}", by_shard(1), by_shard(0));
    assert!(sent == expected, "{} {}", sent.len(), expected.len());
    assert_eq!(manifest.ended.as_ref().expect("it has ended").traces, sent.len() as u64);
    let (exit, report) = shards.verify(&shards.files());
    assert!(exit == 0 && report["delivered"] == report["expected"], "{report}");
    // The shard is resumed from its own manifest alone; afterwards the run is complete.
    let exporter = format!("--exporter=file={}", shards.path("1.bin").display());
    let merged = format!("--resume={}", shards.path("run.json").display());
    tracegen().args(["run", &exporter, &merged]).assert().code(3);
    assert_eq!(Running::resume(&[exporter, format!("--resume={}", shards.manifest_of(1))]).wait(), Some(0));
    let (exit, said) = shards.merge(&names.each_ref().map(String::as_str));
    assert_eq!(exit, 0, "{said}");
    let parts =
        (0..SHARDS).flat_map(|k| spans(&read_delimited(&fs::read(shards.path(format!("{k}.bin"))).expect("a file"))));
    shards.check_against_whole(parts.collect());
}

/// It is unknown what a shard without an end has sent, so missing spans can't be counted as lost.
#[test]
fn a_merged_run_of_which_a_shard_is_still_open_is_not_checked() {
    let shards = Shards::new(-2_000, 1_500);
    let running: Vec<Running> = (0..SHARDS).map(|k| shards.start(k)).collect();
    assert!(running.into_iter().all(|shard| shard.wait() == Some(0)));
    // The manifest is in the state before its end was written.
    let path = PathBuf::from(shards.manifest_of(1));
    let mut open = read(&path);
    open.ended = None;
    open.eras.iter_mut().for_each(|era| era.end = None);
    open.save(&path).expect("saved");
    let (exit, said) = shards.merge(&[&shards.path("shards").display().to_string()]);
    assert!(
        exit == 1 && said.contains("its run goes on, or was killed; which traces it sent is not known"),
        "{exit} {said}"
    );
    for files in [&shards.files()[..], &shards.files()[..1]] {
        let (exit, report) = shards.verify(files);
        assert_eq!((exit, report["verdict"]["is"].as_str()), (3, Some("unchecked")), "{report}");
    }
}

/// The script of a network of its own, with a collector at its usual port and a run that sends to it.
const NETWORK: &str = r#"
ip link set lo up
"$0" --config "$1" >"$1.log" 2>&1 & collector=$!
shift
"$@"; status=$?
kill "$collector"; wait "$collector"
exit $status
"#;

#[test]
fn shards_in_networks_of_their_own_are_one_run() {
    let Some(collector) = collector() else { return };
    let shards = Shards::new(-2_000, 1_500);
    let files: Vec<PathBuf> = (0..SHARDS).map(|k| shards.path(format!("{k}.arrived"))).collect();
    let start = |k: u64, file: &PathBuf| -> Child {
        let config = shards.path(format!("{k}.yaml"));
        let written = format!(
            "receivers: {{otlp: {{protocols: {{grpc: {{endpoint: '127.0.0.1:4317'}}}}}}}}\n\
             exporters: {{file: {{path: '{}', format: proto}}}}\n\
             service:\n  telemetry: {{metrics: {{level: none}}}}\n  pipelines: {{traces: {{receivers: [otlp], exporters: [file]}}}}\n",
            file.display()
        );
        fs::write(&config, written).expect("written");
        Command::new("unshare")
            .args(["-rn", "sh", "-c", NETWORK])
            .args([&collector, &config])
            .arg(assert_cmd::cargo::cargo_bin("tracegen"))
            .args(["run", "--quiet", "--endpoint=http://127.0.0.1:4317", "--wait=60s"])
            .args(shards.flags(k))
            .arg(brief())
            .stderr(Stdio::null())
            .spawn()
            .expect("started")
    };
    let running: Vec<Child> = (0..).zip(&files).map(|(k, file)| start(k, file)).collect();
    assert!(running.into_iter().all(|mut shard| shard.wait().expect("a status").success()));
    let arrived = |file: &PathBuf| spans(&read_delimited(&fs::read(file).expect("a file")));
    let parts: Vec<Vec<String>> = files.iter().map(arrived).collect();
    assert!(parts.iter().all(|part| part.len() > 500), "each has its own");
    let (exit, said) = shards.merge(&[&shards.path("shards").display().to_string()]);
    assert_eq!(exit, 0, "{said}");
    let (exit, report) = shards.verify(&files);
    assert!(exit == 0 && report["delivered"] == parts.concat().len(), "{report}");
    shards.check_against_whole(parts.concat());
}

/// Returns the collector's binary, if network namespaces are available.
fn collector() -> Option<PathBuf> {
    let skip = |reason: &str| {
        let _ = writeln!(std::io::stderr(), "skipped, no shards in networks of their own: {reason}");
    };
    let made = Command::new("unshare").args(["-rn", "ip", "link", "set", "lo", "up"]).output();
    if !made.is_ok_and(|output| output.status.success()) {
        assert!(std::env::var_os("CI").is_none(), "`unshare -rn ip link set lo up` is not permitted here");
        skip("`unshare -rn ip link set lo up` is not permitted here");
        return None;
    }
    let collector = std::env::var_os("TRACEGEN_COLLECTOR").map(PathBuf::from);
    if collector.is_none() {
        assert!(std::env::var_os("CI").is_none(), "TRACEGEN_COLLECTOR is not set");
        skip("TRACEGEN_COLLECTOR is not set");
    }
    collector
}

/// Returns the arguments of a Job in deploy/kubernetes/load, as a pod gets them.
fn arguments(file: &str, variables: &[(String, String)]) -> Vec<String> {
    let lines = fs::read_to_string(deployed(file)).expect("a Job");
    let lines = lines.lines().skip_while(|line| line.trim() != "args:").skip(1);
    let arguments = lines.map_while(|line| line.strip_prefix("            - ")).map(|argument| {
        let expand = |text: String, (name, value): &(String, String)| text.replace(&format!("$({name})"), value);
        variables.iter().fold(argument.to_string(), expand)
    });
    arguments.collect()
}

fn deployed(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/kubernetes").join(file)
}

#[test]
fn the_pods_of_kubernetes_make_one_run() {
    let folder = tempfile::tempdir().expect("a folder");
    let settings = fs::read_to_string(deployed("load/kustomization.yaml")).expect("settings");
    assert!(settings.contains(concat!("newTag: ", env!("CARGO_PKG_VERSION"))), "the image is that of this version");
    let settings = settings.lines().filter_map(|line| line.trim().strip_prefix("- ")?.split_once('='));
    let mut variables: Vec<(String, String)> = settings.map(|(name, value)| (name.into(), value.into())).collect();
    // The load is smaller, so that the test is short.
    variables.iter_mut().filter(|(name, _)| name == "RATE").for_each(|(_, rate)| *rate = "2/s".into());
    let placed = |arguments: Vec<String>| -> Vec<String> {
        let scenarios = deployed("scenarios/files").display().to_string();
        let place = |argument: String| argument.replace("/manifests", &folder.path().display().to_string());
        arguments.into_iter().map(|argument| place(argument).replace("/scenarios", &scenarios)).collect()
    };
    let pods: Vec<Child> = (0..8)
        .map(|k| {
            let of_pod = [&variables[..], &[("JOB_COMPLETION_INDEX".into(), k.to_string())]].concat();
            Command::new(assert_cmd::cargo::cargo_bin("tracegen"))
                .args(placed(arguments("load/job.yaml", &of_pod)))
                .args(["--exporter=none", "--quiet"])
                .spawn()
                .expect("started")
        })
        .collect();
    assert!(pods.into_iter().all(|mut pod| pod.wait().expect("a status").success()));
    let output = tracegen().args(placed(arguments("load/merge.yaml", &variables))).assert().success();
    let said = String::from_utf8_lossy(&output.get_output().stderr).into_owned();
    assert!(said.contains("8 of 8 shards, 1,200 traces, "), "{said}");
    let merged = read(&folder.path().join("run.json"));
    assert_eq!((merged.eras.len(), merged.eras[0].end, merged.eras[0].stopped), (1, Some(1_200), None));
}

#[test]
fn manifests_of_different_runs_are_not_merged() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name).display().to_string();
    let make = |name: &str, more: &[&str]| {
        let manifest = format!("--manifest={}", path(name));
        let fixed = ["--start=2026-01-01", "--rate=10/s", "--exporter=none", &manifest];
        let seed: &[&str] = if more.iter().any(|flag| flag.starts_with("--seed")) { &[] } else { &["--seed=7"] };
        let count: &[&str] = if more.iter().any(|flag| flag.starts_with("--count")) { &[] } else { &["--count=30"] };
        assert_eq!(Running::start(&[&fixed[..], seed, count, more].concat()).wait(), Some(0));
        path(name)
    };
    let merge = |names: &[&str], exit: i32, why: &str| {
        let output = tracegen().arg("merge").args(names).arg("-o").arg(path("run")).assert().code(exit);
        let said = String::from_utf8_lossy(&output.get_output().stderr).into_owned();
        assert!(said.contains(why), "{why} / {said}");
    };
    let [zero, one, two] =
        ["0/3", "1/3", "2/3"].map(|of| make(&format!("{}.json", &of[..1]), &[&format!("--shard={of}")]));
    // Some shards are missing; the others are merged, and the result can be merged again.
    merge(&[&zero, &two], 1, "2 of 3 shards, 20 traces, ");
    merge(&[&zero, &two], 1, ", missing: 1/3");
    let replay = |index: &str, exit: i32| {
        let output = tracegen().args(["replay", index, "--manifest", &path("run")]).assert().code(exit);
        json_requests(std::str::from_utf8(&output.get_output().stdout).expect("text")).len()
    };
    assert_eq!((replay("3", 0), replay("4", 3), replay("5", 0)), (1, 0, 1));
    let none = path("none.jsonl");
    fs::write(&none, "{}\n").expect("written");
    let output = tracegen().args(["verify", "--quiet", "--manifest", &path("run"), "--from", &none]).assert().code(3);
    let said = format!("{output}");
    assert!(said.contains("merged without 1 of the run"), "{said}");
    fs::rename(path("run"), path("some")).expect("renamed");
    merge(&[&path("some"), &one], 0, "3 of 3 shards, 30 traces, ");
    assert_eq!(replay("4", 0), 1);
    let before = fs::read(path("run")).expect("a manifest");
    for (names, exit, why) in [
        (&[&zero, &one, &zero][..], 3, "0.json has shard 0/3, and so has "),
        (&[&zero, &make("four", &["--shard=1/4"])], 3, "its number of shards differs"),
        (&[&zero, &make("seed", &["--shard=1/3", "--seed=8"])], 3, "its seed differs"),
        (&[&zero, &make("count", &["--shard=1/3", "--count=31"])], 3, "its --count differs"),
        (&[&zero, &make("end", &["--shard=1/3", "--duration=1h"])], 3, "its end (--duration, --until) differs"),
        (&[&make("whole", &[])], 3, "whole belongs to a whole run"),
        (&[&zero, &path("nowhere")], 3, "nowhere: No such file"),
    ] {
        let names: Vec<&str> = names.iter().map(|name| name.as_str()).collect();
        merge(&names, exit, why);
    }
    fs::write(path("cut"), &fs::read(&zero).expect("a manifest")[..500]).expect("written");
    merge(&[&path("cut"), &one], 3, "cut: the manifest is cut off");
    fs::create_dir(path("empty")).expect("a folder");
    merge(&[&path("empty")], 3, "there is no *.json");
    assert_eq!(fs::read(path("run")).expect("a manifest"), before, "what fails leaves what was there");
    // The merged manifest may be in the same directory; missing shards are waited for.
    let beside = folder.path().join("beside");
    fs::create_dir(&beside).expect("a folder");
    let merging = || {
        let command = Command::new(assert_cmd::cargo::cargo_bin("tracegen"))
            .args([OsStr::new("merge"), beside.as_ref(), OsStr::new("--wait=60s"), OsStr::new("-o")])
            .arg(beside.join("run.json"))
            .stderr(Stdio::piped())
            .spawn();
        command.expect("started")
    };
    let child = merging();
    for name in ["0.json", "1.json", "2.json"] {
        sleep(Duration::from_millis(500));
        fs::copy(path(name), beside.join("new"))
            .and_then(|_| fs::rename(beside.join("new"), beside.join(name)))
            .expect("copied");
    }
    for child in [child, merging()] {
        let output = child.wait_with_output().expect("its output");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && said.contains("3 of 3 shards, 30 traces, "), "{said}");
    }
    // This shard goes on.
    let mut open = read(Path::new(&two));
    (open.ended, open.eras[0].end) = (None, None);
    open.save(Path::new(&two)).expect("saved");
    merge(&[&zero, &one, &two], 1, "2.json has no end: its run goes on, or was killed");
    tracegen().arg("merge").assert().code(2);
}
