//! Spans that leave one by one (`--send spans`): when, together with which, in which order; and what a stopped run has sent.

mod support {
    pub mod binary;
    pub mod collector;
    pub mod folder;
    pub mod ports;
    pub mod shipped;
    pub mod time;
}

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::Span;
use parking_lot::Mutex;
use prost::Message;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;
use support::binary::{bare_spans, spans, tracegen};
use support::collector::read_delimited;
use support::folder::Folder;
use support::shipped::compiled;
use support::time::TestClock;
use tracegen::clock::Clock;
use tracegen::engine::{self, Closed, Ended, Figures, Job, Output, Progress, Sent, Stop};
use tracegen::export::{Batch, Encode, Protobuf};
use tracegen::interpreter::{Arrivals, Run, Schedule};
use tracegen::journal::{Archive, Ending, Selection, Sending, Unit};
use tracegen::verify::{Fidelity, Policy, Report, Verdict, Verifier};

const SECOND: u64 = 1_000_000_000;
const NOW: u64 = 1_767_225_600 * SECOND;
const DELAY: u64 = 5 * SECOND;

/// A recorder of what leaves, with the time of the clock.
struct Recorder<'c> {
    clock: &'c TestClock,
    taken: Mutex<Vec<(u64, Batch)>>,
}

impl Output for Recorder<'_> {
    fn send(&self, batch: Batch) -> Result<Option<Vec<u8>>, Closed> {
        self.taken.lock().push((self.clock.now(), batch));
        Ok(None)
    }
}

/// What a run has sent.
struct Left {
    batches: Vec<(u64, Batch)>,
    ended: Ended,
    ending: Ending,
    figures: Figures,
}

impl Left {
    fn requests(&self) -> Vec<ExportTraceServiceRequest> {
        self.batches.iter().map(|(_, batch)| request(batch)).collect()
    }

    fn bodies(&self) -> Vec<&[u8]> {
        self.batches.iter().map(|(_, batch)| &batch.body[..]).collect()
    }

    /// Returns the number of spans and of traces in the batches.
    fn amounts(&self) -> (u64, u64) {
        self.batches.iter().fold((0, 0), |(spans, traces), (_, batch)| (spans + batch.spans, traces + batch.traces))
    }
}

fn request(batch: &Batch) -> ExportTraceServiceRequest {
    let request = ExportTraceServiceRequest::decode(&batch.body[..]).expect("a request");
    assert_eq!(bare_spans(std::slice::from_ref(&request)).count() as u64, batch.spans);
    request
}

fn by_span(late: &[(&str, u64)]) -> Sending {
    let late = late.iter().map(|(service, seconds)| (service.to_string(), seconds * SECOND)).collect();
    Sending { unit: Unit::Spans { batch_delay: DELAY }, late }
}

fn by_trace(late: &[(&str, u64)]) -> Sending {
    Sending { unit: Unit::Traces, ..by_span(late) }
}

/// Makes a run of the shop with `rate` traces a second, whose schedule begins at `NOW`.
fn run(rate: u64) -> Arc<Run> {
    let schedule = Schedule::new(NOW, Arrivals::Even { count: rate, per_ns: SECOND }).expect("a schedule");
    Arc::new(Run::new(Arc::new(compiled("scenarios/examples/shop.yaml")), 42, schedule))
}

fn job(run: &Arc<Run>, clock: &Arc<TestClock>, traces: u64, sending: Sending) -> Job {
    Job {
        run: run.clone(),
        selection: Selection { count: Some(traces), ..Selection::default() },
        threads: 2,
        at_full_speed: false,
        ordered: false,
        sending,
        sent: Sent::default(),
        clock: clock.clone(),
        on_epoch: None,
    }
}

/// Runs a job to its end, while `steer` turns its clock.
fn left(job: &Job, clock: &TestClock, steer: impl FnOnce(&Stop)) -> Left {
    let (progress, stop) = (Progress::default(), Stop::default());
    let recorder = Recorder { clock, taken: Mutex::default() };
    let encoder = || -> Box<dyn Encode> { Box::new(Protobuf::new(job.run.plan(), job.run.resources())) };
    let (ended, ending) = std::thread::scope(|scope| {
        let generates = scope.spawn(|| engine::generate(job, &encoder, &recorder, &progress, &stop));
        steer(&stop);
        generates.join().expect("it ends")
    });
    Left { batches: recorder.taken.into_inner(), ended, ending, figures: progress.figures() }
}

/// Makes `traces` traces live, on a clock that passes whenever somebody waits.
fn live(run: &Arc<Run>, traces: u64, sending: Sending) -> Left {
    let clock = Arc::new(TestClock::ticking(NOW, u64::MAX, 0));
    left(&job(run, &clock, traces, sending), &clock, |_| ())
}

/// Makes `traces` traces after all of them have ended.
fn backfill(run: &Arc<Run>, traces: u64, sending: Sending, ordered: bool) -> Left {
    let clock = Arc::new(TestClock::ticking(NOW + 86_400 * SECOND, u64::MAX, 0));
    left(&Job { ordered, ..job(run, &clock, traces, sending) }, &clock, |_| ())
}

fn key(span: &Span) -> (Vec<u8>, Vec<u8>) {
    (span.trace_id.clone(), span.span_id.clone())
}

#[test]
fn a_span_leaves_after_its_end_with_others_of_its_instance_and_after_its_children() {
    let run = run(40);
    let left = live(&run, 2_400, by_span(&[]));
    assert_eq!((left.ended, left.ending.stopped), (Ended::Complete, None));
    let mut order: HashMap<String, Vec<Span>> = HashMap::new();
    let (mut boundaries, mut instances) = (0, HashMap::new());
    for (at, batch) in &left.batches {
        let request = request(batch);
        let [group] = &request.resource_spans[..] else { panic!("{} instances", request.resource_spans.len()) };
        let instance = format!("{:?}", group.resource);
        assert!(batch.spans <= 512);
        for span in bare_spans(std::slice::from_ref(&request)) {
            let end = span.end_time_unix_nano;
            assert!((end..=end + DELAY).contains(at), "it ended at {end} and left at {at}");
            order.entry(instance.clone()).or_default().push(span.clone());
        }
        // Batches that are not full leave at the times of their instance.
        if batch.spans < 512 {
            let phase = instances.entry(instance).or_insert(at % DELAY);
            assert_eq!(*phase, at % DELAY);
            boundaries += 1;
        }
    }
    assert!(boundaries > 50 && instances.len() >= 10, "{boundaries} batches of {} instances", instances.len());
    let phases: std::collections::BTreeSet<u64> = instances.values().copied().collect();
    assert!(phases.len() >= 10, "the instances do not send at the same time");
    for spans in order.values() {
        let places: HashMap<_, usize> = spans.iter().enumerate().map(|(at, span)| (key(span), at)).collect();
        for (at, child) in spans.iter().enumerate() {
            let parent = places.get(&(child.trace_id.clone(), child.parent_span_id.clone()));
            let Some(parent) = parent.filter(|at| spans[**at].end_time_unix_nano >= child.end_time_unix_nano) else {
                continue;
            };
            assert!(at < *parent, "a parent leaves after the children that ended before it");
        }
        assert!(spans.windows(2).all(|pair| pair[0].end_time_unix_nano <= pair[1].end_time_unix_nano));
    }
    // They are the spans of the same run that sends whole traces.
    let whole = live(&run, 2_400, Sending::default());
    assert_eq!(left.amounts(), whole.amounts());
    assert_eq!(left.amounts(), (left.figures.spans, 2_400));
    assert!(spans(&left.requests()) == spans(&whole.requests()));
    assert_eq!((left.figures.pending, left.figures.lateness.max, left.figures.full), (0, 0, 0));
}

#[test]
fn what_leaves_together_depends_on_no_clock() {
    let arrivals = [
        Arrivals::Even { count: 200, per_ns: SECOND },
        Arrivals::Poisson { count: 200, per_ns: SECOND },
        Arrivals::Interval { min_ns: 0, max_ns: SECOND / 10, lanes: 10 },
    ];
    for arrivals in arrivals {
        let plan = Arc::new(compiled("scenarios/examples/shop.yaml"));
        let run = Arc::new(Run::new(plan, 7, Schedule::new(NOW, arrivals).expect("a schedule")));
        for sending in [by_span(&[]), by_span(&[("card-*", 30)])] {
            let live = live(&run, 1_500, sending.clone());
            for ordered in [false, true] {
                let backfill = backfill(&run, 1_500, sending.clone(), ordered);
                assert!(live.bodies() == backfill.bodies(), "{arrivals:?}");
            }
        }
    }
}

#[test]
fn a_batch_leaves_as_soon_as_it_is_full() {
    let left = live(&run(2_000), 6_000, by_span(&[]));
    let full: Vec<_> = left.batches.iter().filter(|(_, batch)| batch.spans == 512).collect();
    assert!(full.len() > 20, "{}", full.len());
    for (at, batch) in full {
        let request = request(batch);
        assert_eq!(bare_spans(std::slice::from_ref(&request)).map(|span| span.end_time_unix_nano).max(), Some(*at));
    }
}

#[test]
fn the_spans_of_a_late_service_leave_later() {
    let run = run(40);
    for (sending, longest) in
        [(by_span(&[("card-service", 30), ("*-service", 7)]), DELAY), (by_trace(&[("card-service", 30)]), 0)]
    {
        let left = live(&run, 400, sending.clone());
        let mut ends: BTreeMap<Vec<u8>, u64> = BTreeMap::new();
        for span in bare_spans(&left.requests()) {
            let end = ends.entry(span.trace_id.clone()).or_default();
            *end = span.end_time_unix_nano.max(*end);
        }
        let mut late = 0;
        for (at, batch) in &left.batches {
            let request = request(batch);
            for group in &request.resource_spans {
                let service = format!("{:?}", group.resource);
                let by = match (service.contains("card-service"), service.contains("-service\"")) {
                    (true, _) => 30 * SECOND,
                    (false, true) if sending.unit != Unit::Traces => 7 * SECOND,
                    _ => 0,
                };
                for span in group.scope_spans.iter().flat_map(|scope| &scope.spans) {
                    let end = if sending.unit == Unit::Traces { ends[&span.trace_id] } else { span.end_time_unix_nano };
                    // A trace waits a little for its batch to fill.
                    let wait = longest.max(SECOND / 5);
                    assert!((end + by..=end + by + wait).contains(at), "{service}: {end} {at}");
                    late += u64::from(by > 0);
                }
            }
        }
        assert!(late > 50, "{late}");
        assert!(spans(&left.requests()) == spans(&backfill(&run, 400, Sending::default(), false).requests()));
        assert_eq!(left.amounts().1, 400);
    }
}

fn verified(run: &Run, ending: &Ending, sending: &Sending, batches: &[(u64, Batch)]) -> Report {
    let selection = Selection { count: Some(2_400), ..Selection::default() };
    let archive = Archive::of(run, selection, Some(ending)).sending(sending.clone());
    // What a manifest says is what counts.
    let archive = Archive::open(&archive.manifest(None)).expect("a manifest");
    let mut verifier = Verifier::new(archive, Fidelity::Otlp, Policy::default());
    batches.iter().for_each(|(_, batch)| verifier.request(&batch.body, None).expect("it is whole"));
    verifier.finish()
}

#[test]
fn a_stopped_run_has_sent_what_was_due_and_the_rest_follows() {
    let run = run(40);
    for sending in [by_span(&[]), by_span(&[("card-service", 20)]), by_trace(&[("card-service", 20)])] {
        let stopped = NOW + 31 * SECOND + 123_456_789;
        let clock = Arc::new(TestClock::new(NOW));
        let first = left(&job(&run, &clock, 2_400, sending.clone()), &clock, |stop| {
            clock.run_until(stopped);
            stop.set(&*clock);
        });
        assert_eq!((first.ended, first.ending.stopped), (Ended::Stopped, Some(stopped)));
        let late = |service: &str| sending.lateness(service);
        let whole = backfill(&run, 2_400, Sending::default(), false).requests();
        let mut ends: HashMap<Vec<u8>, u64> = HashMap::new();
        for span in bare_spans(&whole) {
            let end = ends.entry(span.trace_id.clone()).or_default();
            *end = span.end_time_unix_nano.max(*end);
        }
        let mut due = 0;
        for group in whole.iter().flat_map(|request| &request.resource_spans) {
            let resource = group.resource.as_ref().expect("a resource");
            let name = resource.attributes.iter().find(|attribute| attribute.key == "service.name").expect("a name");
            let name = format!("{:?}", name.value);
            let name = name.split('"').nth(1).expect("a text").to_string();
            for span in group.scope_spans.iter().flat_map(|scope| &scope.spans) {
                let end = if sending.unit == Unit::Traces { ends[&span.trace_id] } else { span.end_time_unix_nano };
                due += u64::from(end + late(&name) <= stopped);
            }
        }
        let (sent, traces) = first.amounts();
        assert_eq!((sent, traces), (due, first.figures.traces), "{sending:?}");
        assert!(traces < 1_245 && first.figures.pending > 0, "{traces} {}", first.figures.pending);
        // The manifest of the stopped run expects exactly what was sent.
        let report = verified(&run, &first.ending, &sending, &first.batches);
        assert_eq!((report.verdict.clone(), report.expected, report.delivered), (Verdict::Clean, sent, sent));
        // A loss is seen, and so is a span that was not sent.
        let (_, lost) = &first.batches[7];
        let without: Vec<_> =
            first.batches.iter().enumerate().filter(|(i, _)| *i != 7).map(|(_, b)| b.clone()).collect();
        let report = verified(&run, &first.ending, &sending, &without);
        assert_eq!((report.lost, report.expected), (lost.spans, sent));
        // The resumed run sends the rest, and nothing twice.
        let resumed = Arc::new(TestClock::ticking(stopped + 3_600 * SECOND, u64::MAX, 0));
        let again = Sent { end: first.ending.end, stopped, traces };
        let rest = left(&Job { sent: again, ..job(&run, &resumed, 2_400, sending.clone()) }, &resumed, |_| ());
        assert_eq!(rest.ended, Ended::Complete);
        let report = verified(&run, &first.ending, &sending, &[&first.batches[..], &rest.batches[..1]].concat());
        assert!(report.strangers.never_sent.spans > 0, "what follows was not sent before");
        let all = [first.requests(), rest.requests()].concat();
        assert!(spans(&all) == spans(&whole), "{sending:?}");
        assert_eq!(traces + rest.amounts().1, 2_400);
    }
}

/// Writes traces of the shop to a file, and returns its bytes.
fn written(folder: &Folder, name: &str, more: &[&str]) -> Vec<u8> {
    let shop = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/examples/shop.yaml");
    tracegen()
        .args([
            "run",
            "--seed",
            "42",
            "--start",
            "2026-01-01T00:00:00Z",
            "--rate",
            "50/s",
            "--count",
            "3000",
            "--quiet",
        ])
        .args(["--send", "spans", "--force"])
        .arg(format!("--exporter=file={}", folder.path(name).display()))
        .args(more)
        .arg(shop)
        .assert()
        .success();
    std::fs::read(folder.path(name)).expect("a file")
}

#[test]
fn files_are_the_same_on_any_number_of_threads_and_shards_are_the_whole() {
    let folder = Folder::new();
    let one = written(&folder, "one.bin", &["--threads", "1"]);
    assert!(one == written(&folder, "two.bin", &["--threads", "2"]));
    let whole = spans(&read_delimited(&one));
    let mut shards = vec![];
    for shard in ["0/3", "1/3", "2/3"] {
        shards.extend(spans(&read_delimited(&written(&folder, "shard.bin", &["--shard", shard]))));
    }
    shards.sort_unstable();
    assert!(shards == whole && whole.len() > 20_000);
}

#[test]
fn flags_that_make_no_sense_are_refused() {
    for (flags, message) in [
        (&["--batch-delay", "2s"][..], "--batch-delay needs --send spans"),
        (&["--send", "spans", "--batch-delay", "2h"], "at most 1h"),
        (&["--late", "cart=30s"], "there is no such service"),
        (&["--late", "card-service=25h"], "at most 24h"),
        (&["--late", "card-service"], "expected a service"),
        (&["--send", "sometimes"], "possible values: traces, spans"),
    ] {
        let shop = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/examples/shop.yaml");
        let run = tracegen().args(["run", "--exporter", "none"]).args(flags).arg(shop).assert().code(2);
        let said = String::from_utf8_lossy(&run.get_output().stderr).into_owned();
        assert!(said.contains(message), "{flags:?}: {said}");
    }
}

#[test]
fn the_way_of_sending_is_part_of_manifest_and_commands() {
    let folder = Folder::new();
    let shop = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/examples/shop.yaml");
    let (manifest, file) = (folder.path("run.json"), folder.path("a.bin"));
    let run = tracegen()
        .args(["run", "--seed", "1", "--start", "2026-01-01", "--rate", "5/s", "--count", "50", "--send", "spans"])
        .args(["--batch-delay", "2s", "--late", "card-*=30s", "--manifest"])
        .arg(&manifest)
        .arg(format!("--exporter=file={}", file.display()))
        .arg(shop)
        .assert()
        .success();
    let said = String::from_utf8_lossy(&run.get_output().stderr).into_owned();
    assert!(said.contains(" --send spans --batch-delay 2s --late 'card-*=30s'"), "{said}");
    let read: serde_json::Value = serde_json::from_slice(&std::fs::read(&manifest).expect("a file")).expect("JSON");
    let expected = serde_json::json!({
        "unit": {"spans": {"batch_delay": 2 * SECOND}}, "late": {"card-*": 30 * SECOND}
    });
    assert_eq!(read["sending"], expected);
    let verify = tracegen().arg("verify").arg("--manifest").arg(&manifest).arg("--from").arg(&file).assert();
    verify.success();
    // A manifest that somebody has edited.
    for delay in ["0", "3600000000001"] {
        let text = std::fs::read_to_string(&manifest)
            .expect("a file")
            .replace("\"batch_delay\":2000000000", &format!("\"batch_delay\":{delay}"));
        std::fs::write(folder.path("bad.json"), text).expect("written");
        let verify =
            tracegen().arg("verify").arg("--manifest").arg(folder.path("bad.json")).arg("--from").arg(&file).assert();
        let said = String::from_utf8_lossy(&verify.code(3).get_output().stderr).into_owned();
        assert!(said.contains("holds spans back for longer"), "{said}");
    }
}

#[test]
fn a_run_with_a_count_alone_does_not_wait_for_its_last_batches() {
    let began = std::time::Instant::now();
    let shop = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/examples/shop.yaml");
    let run = ["run", "--count", "100", "--send", "spans", "--batch-delay", "10m", "--exporter", "none"];
    tracegen().args(run).arg(shop).assert().success();
    assert!(began.elapsed() < Duration::from_secs(60));
}
