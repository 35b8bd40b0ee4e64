//! Tail sampling by the real collector, which decides on a trace a while after its first span has arrived. Spans that leave
//! one by one show whether it waits long enough, and whether all spans of a trace reach the same collector.

mod support {
    pub mod binary;
    pub mod collector;
    pub mod folder;
    pub mod ports;
}

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message;
use serde_json::Value;
use std::collections::hash_map::DefaultHasher;
use std::collections::{HashMap, HashSet};
use std::hash::{Hash, Hasher};
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::Duration;
use support::binary::{bare_spans, tracegen};
use support::collector::{Collector, Output, read_delimited};
use support::folder::Folder;
use tracegen::export::Batch;
use tracegen::export::deliver::{Delivery, Options};
use tracegen::export::target::{Target, TargetFlags};

/// The time between the batches of a service instance.
const BATCH_DELAY: &str = "5s";

fn shop() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/examples/shop.yaml")
}

/// Compares what collectors have written with the run of a manifest, of which every failed trace must be kept. Returns the
/// report and the exit status.
fn verified(folder: &Folder, files: &[PathBuf]) -> (Value, i32) {
    let mut command = tracegen();
    command.args(["verify", "--quiet", "--expect", "keep-errors", "--format", "json", "--from"]).arg(&files[0]);
    let output = command.args(&files[1..]).arg("--manifest").arg(folder.path("run.json")).output().expect("it runs");
    let said = String::from_utf8_lossy(&output.stderr);
    (serde_json::from_slice(&output.stdout).expect(&said), output.status.code().expect("a status"))
}

/// The numbers of failed traces that arrived whole, in part and not at all, counted from the spans that were sent.
#[derive(Debug, Default, PartialEq)]
struct Counted {
    whole: u64,
    partly: u64,
    missing: u64,
    /// The spans that the failed traces lack, and those that other traces lack although a span of them arrived.
    lost: u64,
}

fn counted(sent: &[ExportTraceServiceRequest], kept: &[ExportTraceServiceRequest]) -> Counted {
    let kept: HashSet<_> = bare_spans(kept).map(|span| (&span.trace_id, &span.span_id)).collect();
    let mut traces: HashMap<&Vec<u8>, Vec<&Span>> = HashMap::new();
    bare_spans(sent).for_each(|span| traces.entry(&span.trace_id).or_default().push(span));
    let mut counted = Counted::default();
    for spans in traces.values() {
        let failed = spans.iter().any(|span| span.status.as_ref().is_some_and(|status| status.code == 2));
        let there = spans.iter().filter(|span| kept.contains(&(&span.trace_id, &span.span_id))).count();
        match there {
            all if all == spans.len() => counted.whole += u64::from(failed),
            0 => counted.missing += u64::from(failed),
            _ => counted.partly += 1,
        }
        if failed || there > 0 {
            counted.lost += (spans.len() - there) as u64;
        }
    }
    counted
}

#[test]
fn a_sampler_that_decides_too_early_breaks_traces() {
    // The second one also forgets what it has decided, so spans that come later are decided on again.
    let long = "{decision_wait: 10s, num_traces: 50000, policies: [{name: e, type: status_code, \
                status_code: {status_codes: [ERROR]}}]}";
    let short = "{decision_wait: 2s, num_traces: 100, policies: [{name: e, type: status_code, \
                 status_code: {status_codes: [ERROR]}}]}";
    let collectors = [long, short].map(|sampling| Collector::with(vec![Output::Json], &[("tail_sampling", sampling)]));
    let [Some(long), Some(short)] = collectors else { return };
    std::thread::scope(|scope| {
        for (mut collector, waits, is_long) in [(long, 10, true), (short, 2, false)] {
            scope.spawn(move || {
                let folder = Folder::new();
                tracegen()
                    .args(["run", "--seed", "42", "--rate", "30/s", "--duration", "12s", "--quiet"])
                    .args(["--send", "spans", "--batch-delay", BATCH_DELAY, "--protocol", "grpc"])
                    .args(["--endpoint", &collector.grpc_url(), "--manifest"])
                    .arg(folder.path("run.json"))
                    .arg(shop())
                    .assert()
                    .success();
                sleep(Duration::from_secs(waits + 3));
                let file = collector.file();
                collector.stop();
                // The same run once more, into a file.
                let manifest: Value =
                    serde_json::from_slice(&std::fs::read(folder.path("run.json")).expect("a file")).expect("JSON");
                let opening = manifest["eras"][0]["epoch"]["opening"].as_i64().expect("a time");
                let start = jiff::Timestamp::from_nanosecond(opening.into()).expect("a time").to_string();
                tracegen()
                    .args(["run", "--seed", "42", "--rate", "30/s", "--duration", "12s", "--quiet", "--start", &start])
                    .arg(format!("--exporter=file={}", folder.path("sent.bin").display()))
                    .arg(shop())
                    .assert()
                    .success();
                let sent = read_delimited(&std::fs::read(folder.path("sent.bin")).expect("a file"));
                let counted = counted(&sent, &collector.requests());
                let (report, status) = verified(&folder, &[file]);
                let (lost, partly) = (&report["lost"], &report["traces"]["partly"]);
                assert_eq!((lost.as_u64(), partly.as_u64()), (Some(counted.lost), Some(counted.partly)), "{report:#}");
                assert_eq!(report["traces"]["lost"].as_u64(), Some(counted.missing), "{report:#}");
                let failed = counted.whole + counted.missing + counted.partly;
                assert!(failed > 30, "{counted:?}");
                if is_long {
                    assert_eq!((counted.partly, counted.missing, status), (0, 0, 0), "{report:#}");
                } else {
                    assert!(counted.partly > 0 && counted.lost > 0 && status == 1, "{counted:?} {report:#}");
                }
            });
        }
    });
}

/// Returns the number of the collector that gets a span, 0 or 1.
type Route = fn(&ResourceSpans, &Span) -> usize;

fn hashed(value: impl Hash) -> usize {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish() as usize % 2
}

#[test]
fn only_spans_that_are_balanced_by_trace_stay_together() {
    let folder = Folder::new();
    let sent = folder.path("sent.bin");
    tracegen()
        .args(["run", "--seed", "42", "--start", "2026-01-01", "--rate", "30/s", "--count", "400", "--quiet"])
        .args(["--send", "spans", "--manifest"])
        .arg(folder.path("run.json"))
        .arg(format!("--exporter=file={}", sent.display()))
        .arg(shop())
        .assert()
        .success();
    let sent = read_delimited(&std::fs::read(sent).expect("a file"));
    let by_trace: Route = |_, span| hashed(&span.trace_id);
    let by_span: Route = |_, span| hashed(&span.span_id);
    let by_service: Route = |group, _| hashed(format!("{:?}", group.resource));
    for (name, route, is_clean) in [("trace", by_trace, true), ("span", by_span, false), ("service", by_service, false)]
    {
        let sampling = "{decision_wait: 3s, num_traces: 50000, policies: [{name: e, type: status_code, \
                        status_code: {status_codes: [ERROR]}}]}";
        let start = || Collector::with(vec![Output::Json], &[("tail_sampling", sampling)]);
        let (Some(one), Some(other)) = (start(), start()) else { return };
        let mut collectors = [one, other];
        for (at, collector) in collectors.iter().enumerate() {
            let flags = TargetFlags {
                endpoint: Some(collector.grpc_url()),
                protocol: Some("grpc".into()),
                ..TargetFlags::default()
            };
            let delivery = Delivery::start(Target::resolve(flags, &|_| None).expect("a target"), Options::default());
            let delivery = delivery.expect("it starts");
            for request in &sent {
                let part = part(request, |group, span| route(group, span) == at);
                let spans = bare_spans(std::slice::from_ref(&part)).count() as u64;
                if spans > 0 {
                    delivery.send(Batch { body: part.encode_to_vec(), spans, traces: 0 });
                }
            }
            assert!(delivery.finish().is_whole());
        }
        sleep(Duration::from_secs(6));
        collectors.iter_mut().for_each(Collector::stop);
        let kept: Vec<_> = collectors.iter().flat_map(Collector::requests).collect();
        let counted = counted(&sent, &kept);
        let (report, status) = verified(&folder, &collectors.each_ref().map(Collector::file));
        assert_eq!(report["lost"].as_u64(), Some(counted.lost), "by {name}: {report:#}");
        assert_eq!(report["traces"]["partly"].as_u64(), Some(counted.partly), "by {name}: {report:#}");
        assert_eq!((counted.lost == 0, status == 0), (is_clean, is_clean), "by {name}: {counted:?}");
    }
}

/// Returns the spans of a request that `belongs` picks.
fn part(
    request: &ExportTraceServiceRequest,
    belongs: impl Fn(&ResourceSpans, &Span) -> bool,
) -> ExportTraceServiceRequest {
    let scope = |group: &ResourceSpans, scope: &ScopeSpans| {
        let spans: Vec<Span> = scope.spans.iter().filter(|span| belongs(group, span)).cloned().collect();
        (!spans.is_empty()).then(|| ScopeSpans { spans, ..scope.clone() })
    };
    let group = |group: &ResourceSpans| {
        let scope_spans: Vec<ScopeSpans> = group.scope_spans.iter().filter_map(|spans| scope(group, spans)).collect();
        (!scope_spans.is_empty()).then(|| ResourceSpans { scope_spans, ..group.clone() })
    };
    ExportTraceServiceRequest { resource_spans: request.resource_spans.iter().filter_map(group).collect() }
}
