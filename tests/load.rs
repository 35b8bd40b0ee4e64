//! Runs whose traces start as the load of their files says.
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

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::time::Duration;
use support::binary::{bare_spans, json_requests, spans, tracegen};
use support::collector::read_delimited;
use support::folder::Folder;
use support::process::Running;
use tracegen::interpreter::Arrivals;
use tracegen::journal::Manifest;

const SECOND: u64 = 1_000_000_000;
const START: u64 = 1_767_225_600 * SECOND;
const FIXED: [&str; 5] = ["--seed", "42", "--start", "2026-01-01T00:00:00Z", "--quiet"];

/// A load that all share, by stages of a cycle; one of its own at random, one that is even, and a job. One links to another.
const FILE: &str = r#"
load: {stages: [{for: 10s, rate: 40/s}, {for: 0s, rate: 5/s}, {for: 50s, rate: 5/s}], cycle: 1m}
scenarios:
  - name: Checkout
    weight: 3
    root_span: {service: shop, operation: POST /checkout, delay_ms: [5, 400], export_context_as: "order-<<trace.index>>"}
  - name: Search
    root_span: {service: shop, operation: GET /search, delay_ms: [5, 20]}
  - name: Shipping
    load: {rate: 6/s, arrivals: poisson}
    root_span: {service: ship, operation: ship, kind: CONSUMER, link_from_context: "order-*"}
  - name: Heartbeat
    load: {rate: 90/m}
    root_span: {service: monitor, operation: ping}
  - name: Sweep
    load: {every: 15s, at: "00:00:05", jitter_ms: [0, 900]}
    root_span: {service: batch, operation: sweep, delay_ms: 300}
"#;

fn folder() -> Folder {
    let folder = Folder::new();
    fs::write(folder.path("load.yaml"), FILE).expect("a file");
    folder
}

/// Runs the scenarios into a file. Returns its content.
fn run(folder: &Folder, name: &str, more: &[&str]) -> Vec<u8> {
    let to = format!("--exporter=file={}", folder.path(name).display());
    let mut command = tracegen();
    command.arg("run").args(FIXED).args(["--force", &to]).args(more).arg(folder.path("load.yaml"));
    command.assert().success();
    fs::read(folder.path(name)).expect("the file was written")
}

/// Returns the starts of root spans in seconds after [`START`], by name.
fn starts(bytes: &[u8]) -> BTreeMap<String, Vec<f64>> {
    let mut starts: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    for span in bare_spans(&read_delimited(bytes)).filter(|span| span.parent_span_id.is_empty()) {
        let time = (span.start_time_unix_nano - START) as f64 / SECOND as f64;
        starts.entry(span.name.clone()).or_default().push(time);
    }
    starts.values_mut().for_each(|times| times.sort_by(f64::total_cmp));
    starts
}

#[test]
fn traces_start_as_the_files_say() {
    let folder = folder();
    let bytes = run(&folder, "a.bin", &["--duration", "10m"]);
    let starts = starts(&bytes);
    let shared = || starts["POST /checkout"].iter().chain(&starts["GET /search"]).map(|time| time % 60.0);
    // A cycle begins at the rate of its end, so that there are (5 + 40) / 2 a second in the first 10 s.
    let ramp = shared().filter(|time| *time < 10.0).count();
    assert!((2_240..=2_260).contains(&ramp), "{ramp}");
    assert_eq!(shared().count() - ramp, 2_500);
    assert_eq!(starts["ping"].len(), 900);
    assert!(starts["ping"].windows(2).all(|two| (two[1] - two[0] - 2.0 / 3.0).abs() < 1e-8));
    let jobs: Vec<f64> = starts["sweep"].iter().map(|time| time / 5.0).collect();
    assert_eq!(
        jobs.iter().map(|time| *time as u64).collect::<Vec<_>>(),
        (0..40).map(|n| 1 + 3 * n).collect::<Vec<_>>()
    );
    assert!(jobs.iter().any(|time| time.fract() > 0.02), "a jitter is drawn");
    let random = starts["ship"].len() as f64;
    assert!((random - 3_600.0).abs() < 5.0 * 60.0, "{random}");
    let linked = bare_spans(&read_delimited(&bytes)).filter(|span| !span.links.is_empty()).count();
    assert!(linked as f64 > 0.9 * random, "{linked} of {random} link across sources");
}

#[test]
fn threads_change_nothing_and_shards_together_are_the_whole() {
    let folder = folder();
    let duration = ["--duration", "5m"];
    let one = run(&folder, "1.bin", &[&duration[..], &["--threads", "1"]].concat());
    for threads in ["2", "8"] {
        assert!(one == run(&folder, "n.bin", &[&duration[..], &["--threads", threads]].concat()), "{threads} threads");
    }
    let whole = spans(&read_delimited(&one));
    for n in [3, 7] {
        let shard = |k: usize| run(&folder, "shard.bin", &[&duration[..], &["--shard", &format!("{k}/{n}")]].concat());
        let mut parts: Vec<String> = (0..n).flat_map(|k| spans(&read_delimited(&shard(k)))).collect();
        parts.sort_unstable();
        assert!(parts == whole, "{n} shards");
    }
}

#[test]
fn each_trace_is_made_again_and_the_run_verifies_clean() {
    let folder = folder();
    let manifest = folder.path("run.json").display().to_string();
    let bytes = run(&folder, "a.bin", &["--duration", "1m", "--load-factor", "0.5", "--manifest", &manifest]);
    let all = spans(&read_delimited(&bytes));
    let ids: BTreeSet<&str> = all.iter().map(|span| &span[..32]).collect();
    for id in ids.iter().step_by(29) {
        let output = tracegen().args(["replay", id, "--manifest", &manifest]).assert().success();
        let again = spans(&json_requests(std::str::from_utf8(&output.get_output().stdout).expect("text")));
        assert!(again.iter().eq(all.iter().filter(|span| span.starts_with(id))), "{id}");
    }
    let from = folder.path("a.bin").display().to_string();
    tracegen().args(["verify", "--manifest", &manifest, "--from", &from]).assert().success();
    // The same run named by its flags, and another one.
    let flags = |factor: &str| {
        let mut command = tracegen();
        command.args(["verify", "--from", &from, "--duration", "1m", "--load-factor", factor]);
        command.args(&FIXED[..4]).arg(folder.path("load.yaml"));
        command
    };
    flags("0.5").assert().success();
    flags("0.6").assert().failure();
    let manifest = Manifest::read(File::open(folder.path("run.json")).expect("a manifest")).expect("a manifest");
    let epoch = manifest.eras[0].epoch;
    assert_eq!(
        (epoch.arrivals, epoch.load.map(|load| (load.anchor, load.factor))),
        (Arrivals::Load, Some((START, 500_000)))
    );
}

#[test]
fn flags_choose_scenarios_weights_and_factors() {
    let folder = folder();
    let counts = |more: &[&str]| {
        let starts = starts(&run(&folder, "a.bin", &[&["--duration", "10m"], more].concat()));
        starts.into_iter().map(|(name, times)| (name, times.len())).collect::<BTreeMap<_, _>>()
    };
    let names = |counts: &BTreeMap<String, usize>| counts.keys().cloned().collect::<Vec<_>>();
    let some = counts(&["--scenario", "S*p*", "--scenario", "*beat"]);
    assert_eq!((names(&some), some["ping"]), (vec!["ping".into(), "ship".into(), "sweep".into()], 900));
    let weighted = counts(&["--weight", "Search=0", "--weight", "Heartbeat=2", "--weight", "Sweep=0"]);
    assert_eq!(names(&weighted), ["POST /checkout", "ping", "ship"]);
    assert_eq!((weighted["ping"], weighted["POST /checkout"]), (1_800, 4_750));
    let double = counts(&["--load-factor", "2"]);
    assert_eq!((double["ping"], double["sweep"]), (1_800, 40), "a timetable has no rate");
    assert!((9_490..=9_510).contains(&(double["POST /checkout"] + double["GET /search"])));
    // A rate replaces what scenarios share, and leaves the others their own.
    let rate = counts(&["--rate", "2/s"]);
    assert_eq!((rate["POST /checkout"] + rate["GET /search"], rate["ping"], rate["sweep"]), (1_200, 900, 40));
    let interval = counts(&["--interval", "1s..1s", "--lanes", "1"]);
    assert_eq!((interval["POST /checkout"] + interval["GET /search"], interval["ping"]), (600, 900));
}

#[test]
fn a_run_says_how_it_is_repeated_and_ends_with_its_load() {
    let folder = folder();
    let stages = "name: a\nload: {stages: [{for: 10s, rate: 10/s}, {for: 10s, rate: 0}]}\nroot_span: {service: s, operation: o}\n";
    fs::write(folder.path("load.yaml"), stages).expect("a file");
    let to = format!("--exporter=file={}", folder.path("a.bin").display());
    let run = |more: &[&str]| {
        let output =
            tracegen().args(["run", "--force", &to]).args(more).arg(folder.path("load.yaml")).assert().success();
        String::from_utf8(output.get_output().stderr.clone()).expect("text")
    };
    let said =
        run(&["--seed", "1", "--start", "2026-01-01", "--load-factor", "3", "--weight", "a=0.5", "--scenario", "?"]);
    assert!(said.contains("150 traces"), "an endless run ends when nothing starts any more: {said}");
    let repeat = "--start 2026-01-01T00:00:00Z --scenario '?' --weight a=0.5 --load-factor 3 ";
    assert!(said.contains(repeat), "{said}");
    // A count alone takes the last traces of the load.
    let said = run(&["--count", "60"]);
    assert!(said.contains("60 traces"), "{said}");
    let said = run(&["--count", "1000"]);
    assert!(said.contains("100 traces"), "there are no more: {said}");
}

#[test]
fn a_stopped_run_is_resumed_without_a_gap() {
    let folder = folder();
    let manifest = folder.path("run.json").display().to_string();
    let exporter = format!("--exporter=file={}", folder.path("parts.bin").display());
    let scenarios = folder.path("load.yaml").display().to_string();
    let fast = ["--load-factor", "20", "--start", "-5s", "--seed", "7", "--manifest", &manifest, &exporter];
    Running::resume(&[&["--duration", "12s", &scenarios], &fast[..]].concat())
        .interrupt_after(Duration::from_millis(1_500));
    let resumed = tracegen().args(["run", "--resume", &manifest, "--quiet"]).assert().success();
    drop(resumed);
    let parts = spans(&read_delimited(&fs::read(folder.path("parts.bin")).expect("a file")));
    let written = Manifest::read(File::open(folder.path("run.json")).expect("a manifest")).expect("a manifest");
    let start = jiff::Timestamp::from_nanosecond(written.eras[0].epoch.opening.into()).expect("a time").to_string();
    let whole = format!("--exporter=file={}", folder.path("whole.bin").display());
    tracegen()
        .args(["run", "--seed", "7", "--start", &start, "--duration", "12s", "--load-factor", "20", "--quiet", &whole])
        .arg(&scenarios)
        .assert()
        .success();
    assert!(parts == spans(&read_delimited(&fs::read(folder.path("whole.bin")).expect("a file"))));
}

#[test]
fn what_is_wrong_with_flags_is_said() {
    let folder = folder();
    let said = |flags: &[&str]| {
        let output = tracegen().arg("run").args(flags).arg(folder.path("load.yaml")).assert().code(2);
        String::from_utf8(output.get_output().stderr.clone()).expect("text")
    };
    assert!(said(&["--scenario", "Chekout"]).contains("did you mean `Checkout`?"));
    assert!(said(&["--weight", "Serch=2"]).contains("did you mean `Search`?"));
    assert!(said(&["--weight", "Sweep=2"]).contains("its weight is 0 or 1"));
    assert!(said(&["--weight", "Sweep"]).contains("as `Checkout=3`"));
    assert!(said(&["--load-factor", "0"]).contains("expected a factor"));
    assert!(said(&["--load-factor", "900000000"]).contains("expected a factor"));
    assert!(said(&["--scenario", "Sweep", "--weight", "Search=2"]).contains("no --scenario has this scenario"));
    assert!(said(&["--scenario", "Sweep", "--weight", "Sweep=0"]).contains("weights"));
    let own = "name: a\nload: {rate: 200/s}\nroot_span: {service: s, operation: o}\n";
    fs::write(folder.path("load.yaml"), own).expect("a file");
    assert!(said(&["--rate", "5/s"]).contains("every scenario has a load of its own"));
    assert!(said(&["--load-factor", "1000000"]).contains("more than 100000000 traces a second"));
    fs::write(folder.path("load.yaml"), "name: a\nroot_span: {service: s, operation: o}\n").expect("a file");
    assert!(said(&["--load-factor", "2"]).contains("no file has a `load`"));
}

#[test]
fn explain_says_the_rates_of_the_load() {
    let folder = folder();
    let explain = |more: &[&str]| {
        let mut command = tracegen();
        command.args(["explain", "--samples", "0", "--format", "json"]).args(more);
        let output = command.arg(folder.path("load.yaml")).assert().success();
        let json: serde_json::Value = serde_json::from_slice(&output.get_output().stdout).expect("JSON");
        let scenarios = json["scenarios"].as_array().expect("scenarios").clone();
        let rate = |s: &serde_json::Value| {
            (s["scenario"].as_str().expect("a name").to_string(), s["traces_per_second"].as_f64().expect("a rate"))
        };
        scenarios.iter().map(rate).collect::<BTreeMap<_, _>>()
    };
    let close = |rates: &BTreeMap<String, f64>, name: &str, rate: f64| {
        assert!((rates[name] - rate).abs() < 1e-6, "{name}: {rates:?}");
    };
    let mean = (10.0 * 22.5 + 50.0 * 5.0) / 60.0;
    let rates = explain(&[]);
    close(&rates, "Checkout", mean * 0.75);
    close(&rates, "Shipping", 6.0);
    close(&rates, "Sweep", 1.0 / 15.0);
    let rates = explain(&["--load-factor", "2", "--weight", "Heartbeat=3"]);
    close(&rates, "Search", mean / 2.0);
    close(&rates, "Heartbeat", 9.0);
    let rates = explain(&["--rate", "100/s"]);
    close(&rates, "Search", 25.0);
    close(&rates, "Shipping", 6.0);
}

/// What incidents make of a load: of all of it in each minute, of one that shares it, of one with its own, and of nothing.
const SURGES: &str = r#"
load: {rate: 40/s}
incidents:
  - {name: burst, at: +20s, for: 10s, every: 1m, rate: x3}
  - {name: flash sale, at: "00:01:00", for: 1m, select: {scenario: Checkout}, rate: x2}
  - {name: closed, at: +4m, for: 30s, rate: x0}
  - {name: slow, at: +21s, for: 4s, select: {service: shop}, latency: x3, error_conditions: [{probability: 20, type: busy}]}
scenarios:
  - name: Checkout
    weight: 3
    root_span: {service: shop, operation: POST /checkout, delay_ms: [5, 400], export_context_as: "order-<<trace.index>>"}
  - name: Search
    root_span: {service: shop, operation: GET /search, delay_ms: [5, 20]}
  - name: Shipping
    load: {rate: 6/s, arrivals: poisson}
    root_span: {service: ship, operation: ship, kind: CONSUMER, link_from_context: "order-*"}
  - name: Sweep
    load: {every: 15s}
    root_span: {service: batch, operation: sweep, delay_ms: 300}
"#;

fn with_surges() -> Folder {
    let folder = Folder::new();
    fs::write(folder.path("load.yaml"), SURGES).expect("a file");
    folder
}

#[test]
fn incidents_multiply_the_load_in_their_windows() {
    let folder = with_surges();
    let starts = starts(&run(&folder, "a.bin", &["--duration", "6m"]));
    let count = |name: &str, from: f64, to: f64| {
        starts.get(name).map_or(0, |times| times.iter().filter(|time| (from..to).contains(*time)).count()) as f64
    };
    let near = |found: f64, expected: f64| {
        assert!((found - expected).abs() <= 5.0 * expected.sqrt() + 1.0, "{found} of {expected}");
    };
    let shared = |from: f64, to: f64| count("POST /checkout", from, to) + count("GET /search", from, to);
    assert_eq!((shared(0.0, 20.0), shared(20.0, 30.0), shared(30.0, 60.0)), (800.0, 1_200.0, 1_200.0));
    // In the minute of the sale, those of one scenario come twice, and the others as ever.
    assert_eq!((shared(60.0, 80.0), shared(80.0, 90.0), shared(90.0, 120.0)), (1_400.0, 2_100.0, 2_100.0));
    near(count("POST /checkout", 60.0, 80.0), 1_200.0);
    near(count("GET /search", 60.0, 80.0), 200.0);
    near(count("ship", 60.0, 80.0), 120.0);
    near(count("ship", 80.0, 90.0), 180.0);
    assert_eq!((shared(240.0, 270.0), count("ship", 240.0, 270.0), count("sweep", 240.0, 270.0)), (0.0, 0.0, 2.0));
    assert_eq!(shared(270.0, 300.0), 1_200.0);
}

#[test]
fn surges_are_the_same_on_threads_in_shards_and_when_made_again() {
    let folder = with_surges();
    let manifest = folder.path("run.json").display().to_string();
    let duration = ["--duration", "5m"];
    let one = run(&folder, "1.bin", &[&duration[..], &["--threads", "1", "--manifest", &manifest]].concat());
    assert!(one == run(&folder, "n.bin", &[&duration[..], &["--threads", "3"]].concat()));
    let whole = spans(&read_delimited(&one));
    let shard = |k: usize| run(&folder, "shard.bin", &[&duration[..], &["--shard", &format!("{k}/3")]].concat());
    let mut parts: Vec<String> = (0..3).flat_map(|k| spans(&read_delimited(&shard(k)))).collect();
    parts.sort_unstable();
    assert!(parts == whole);
    let ids: BTreeSet<&str> = whole.iter().map(|span| &span[..32]).collect();
    for id in ids.iter().step_by(997) {
        let output = tracegen().args(["replay", id, "--manifest", &manifest]).assert().success();
        let again = spans(&json_requests(std::str::from_utf8(&output.get_output().stdout).expect("text")));
        assert!(again.iter().eq(whole.iter().filter(|span| span.starts_with(id))), "{id}");
    }
    let from = folder.path("1.bin").display().to_string();
    tracegen().args(["verify", "--manifest", &manifest, "--from", &from]).assert().success();
}

#[test]
fn spans_that_leave_one_by_one_are_those_of_the_load() {
    let folder = with_surges();
    let manifest = folder.path("run.json").display().to_string();
    let more = ["--duration", "90s", "--send", "spans", "--batch-delay", "2s", "--late", "ship=5s"];
    let one_by_one = run(&folder, "spans.bin", &[&more[..], &["--manifest", &manifest]].concat());
    let whole = run(&folder, "traces.bin", &["--duration", "90s"]);
    let same = spans(&read_delimited(&one_by_one)) == spans(&read_delimited(&whole));
    assert!(same, "the multiset of spans is the same");
    assert!(one_by_one != whole, "in another order");
    let from = folder.path("spans.bin").display().to_string();
    tracegen().args(["verify", "--manifest", &manifest, "--from", &from]).assert().success();
}

#[test]
fn a_rate_in_place_of_the_load_is_not_multiplied_and_the_run_says_so() {
    let folder = with_surges();
    let to = format!("--exporter=file={}", folder.path("a.bin").display());
    let mut command = tracegen();
    command.args(["run", "--seed", "42", "--start", "2026-01-01T00:00:00Z", "--duration", "1m", "--rate", "5/s", &to]);
    let output = command.arg(folder.path("load.yaml")).assert().success();
    let said = String::from_utf8_lossy(&output.get_output().stderr).into_owned();
    assert!(said.contains("incident flash sale: its `rate` has no effect"), "{said}");
    let starts = starts(&fs::read(folder.path("a.bin")).expect("a file"));
    assert_eq!(starts["POST /checkout"].len() + starts["GET /search"].len(), 300);
    let own = starts["ship"].len() as f64;
    assert!((own - 6.0 * (50.0 + 30.0)).abs() < 5.0 * 22.0, "a load of its own is still multiplied: {own}");
}

#[test]
fn a_stopped_run_with_surges_is_resumed_without_a_gap() {
    let folder = with_surges();
    let manifest = folder.path("run.json").display().to_string();
    let exporter = format!("--exporter=file={}", folder.path("parts.bin").display());
    let scenarios = folder.path("load.yaml").display().to_string();
    // The first window is open when the run is stopped.
    let flags = ["--load-factor", "10", "--start", "-22s", "--seed", "7", "--manifest", &manifest, &exporter];
    Running::resume(&[&["--duration", "27s", &scenarios], &flags[..]].concat())
        .interrupt_after(Duration::from_millis(1_500));
    tracegen().args(["run", "--resume", &manifest, "--quiet"]).assert().success();
    let parts = spans(&read_delimited(&fs::read(folder.path("parts.bin")).expect("a file")));
    let written = Manifest::read(File::open(folder.path("run.json")).expect("a manifest")).expect("a manifest");
    let start = jiff::Timestamp::from_nanosecond(written.eras[0].epoch.opening.into()).expect("a time").to_string();
    let whole = format!("--exporter=file={}", folder.path("whole.bin").display());
    let again =
        ["run", "--seed", "7", "--start", &start, "--duration", "27s", "--load-factor", "10", "--quiet", &whole];
    tracegen().args(again).arg(&scenarios).assert().success();
    assert!(parts == spans(&read_delimited(&fs::read(folder.path("whole.bin")).expect("a file"))));
}

#[test]
fn explain_says_the_rates_of_a_time() {
    let folder = with_surges();
    let explain = |more: &[&str]| -> serde_json::Value {
        let mut command = tracegen();
        command.args(["explain", "--format", "json"]).args(more);
        let output = command.arg(folder.path("load.yaml")).assert().success();
        serde_json::from_slice(&output.get_output().stdout).expect("JSON")
    };
    let rates = |json: &serde_json::Value| {
        let scenarios = json["scenarios"].as_array().expect("scenarios").iter();
        let rate = |s: &serde_json::Value| {
            (s["scenario"].as_str().expect("a name").to_string(), s["traces_per_second"].as_f64().expect("a rate"))
        };
        scenarios.map(rate).collect::<BTreeMap<_, _>>()
    };
    let close = |found: f64, expected: f64| assert!((found - expected).abs() < 1e-6, "{found} {expected}");
    let none = explain(&["--samples", "0"]);
    close(rates(&none)["Checkout"], 30.0);
    close(none["load"]["mean_per_second"].as_f64().expect("a rate"), 46.0 + 1.0 / 15.0);
    assert!(none["load"]["peak_per_second"].as_f64().expect("a rate") > 200.0);
    for (at, checkout, search, shipping) in
        [("+0s", 30.0, 10.0, 6.0), ("+25s", 90.0, 30.0, 18.0), ("+65s", 60.0, 10.0, 6.0), ("+85s", 180.0, 30.0, 18.0)]
    {
        let rates = rates(&explain(&["--samples", "0", "--at", at]));
        close(rates["Checkout"], checkout);
        close(rates["Search"], search);
        close(rates["Shipping"], shipping);
    }
    // Step by step, the numbers are those that a run has.
    let starts = starts(&run(&folder, "a.bin", &["--duration", "5m"]));
    let timeline = explain(&["--samples", "3000", "--window", "+0s..+5m", "--step", "10s"]);
    let steps = timeline["steps"].as_array().expect("steps");
    assert_eq!(steps.len(), 30);
    for (at, step) in steps.iter().enumerate() {
        let (from, to) = (at as f64 * 10.0, at as f64 * 10.0 + 10.0);
        for (name, service, operation) in [
            ("POST /checkout", "shop", "POST /checkout"),
            ("ship", "ship", "ship"),
            ("sweep", "batch", "sweep"),
            ("GET /search", "shop", "GET /search"),
        ] {
            let operations = step["operations"].as_array().expect("operations").iter();
            let found = operations.into_iter().find(|o| o["service"] == service && o["operation"] == operation);
            let expected = found.and_then(|o| o["spans_per_second"].as_f64()).unwrap_or(0.0) * 10.0;
            let seen = starts[name].iter().filter(|time| (from..to).contains(*time)).count() as f64;
            let room = 5.0 * expected.max(1.0).sqrt() + 0.03 * expected;
            assert!((seen - expected).abs() <= room, "{name} in step {at}: {seen}, {expected}: {}", step["steady"]);
        }
    }
    let incidents = explain(&["--samples", "2000", "--incidents"]);
    let sale = &incidents["incidents"][1];
    assert_eq!(sale["rate"], serde_json::json!({ "times": 2.0, "scenarios": ["Checkout"] }));
    let touched = sale["touched"].as_array().expect("parts").iter();
    let names: Vec<&str> = touched.filter_map(|part| part["operation"].as_str()).collect();
    assert_eq!(names, ["POST /checkout"], "the others come as often as before");
}
