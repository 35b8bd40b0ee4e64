//! Malformations: how often each kind befalls what it selects, that the trace beneath is unchanged, and that what arrives as
//! it was sent counts as delivered, also behind a real collector.

mod support {
    pub mod collector;
    pub mod ports;
}

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;
use std::thread::sleep;
use std::time::Duration;
use support::collector::{Collector, Output as Written};
use tracegen::clock::Process;
use tracegen::engine::{self, Closed, Job, Output, Progress, Sent, Stop};
use tracegen::export::deliver::{Delivery, Options};
use tracegen::export::target::{Target, TargetFlags};
use tracegen::export::{Batch, Encode, Json, Protobuf};
use tracegen::interpreter::{Arrivals, Interpreter, Run, Schedule};
use tracegen::journal::{Archive, Ending, Selection, Sending, Unit};
use tracegen::plan::Plan;
use tracegen::trace::{NEVER, NONE, NOT_UTF8, StoredTrace, Trace};
use tracegen::verify::{Fidelity, Policy, Report, Verdict, Verifier};
use tracegen::{compiler, language};

const SECOND: u64 = 1_000_000_000;
const MS: u64 = 1_000_000;
const START: u64 = 1_767_225_600 * SECOND;

/// A scenario with spans of two services, events and failures.
const SCENARIO: &str = r#"
services: {shop: {instances: 40}, cart: {version: '1'}}
scenarios:
  - name: Orders
    root_span:
      service: shop
      operation: order
      kind: SERVER
      delay_ms: [2, 9]
      attributes: {user: "<<random.int(1, 99)>>"}
      events: [{name: begun}]
      calls:
        - {service: cart, operation: 'look <<random.int(1, 3)>>', kind: INTERNAL, delay_ms: [1, 5]}
        - service: cart
          operation: take
          kind: INTERNAL
          delay_ms: [1, 5]
          error_conditions: [{probability: 20, type: Gone, message: nothing left}]
"#;

fn plan(malform: &str) -> Plan {
    let text = format!("malform: {malform}\n{SCENARIO}");
    let (_, compiled) = compiler::compile_loaded(language::load_texts(vec![("a.yaml".into(), text)]));
    compiled.plan.unwrap_or_else(|| panic!("{:?}", compiled.diagnostics))
}

fn run(plan: Plan) -> Arc<Run> {
    let schedule = Schedule::new(START, Arrivals::Even { count: 100, per_ns: SECOND }).expect("a schedule");
    Arc::new(Run::new(Arc::new(plan), 42, schedule))
}

fn traces(mut interpreter: Interpreter, count: u64) -> Vec<Trace> {
    let make = |index| {
        let mut trace = Trace::default();
        interpreter.trace(index, &mut trace);
        trace
    };
    (0..count).map(make).collect()
}

/// Reports whether `hits` of `all` trials with probability `p` are not so few or many that it happens once in a million.
fn is_plausible(hits: u64, all: u64, p: f64) -> bool {
    let ln_factorial = |n: u64| libm::lgamma(n as f64 + 1.0);
    let term = |k: u64| {
        let ways = ln_factorial(all) - ln_factorial(k) - ln_factorial(all - k);
        (ways + k as f64 * p.ln() + (all - k) as f64 * (-p).ln_1p()).exp()
    };
    let below: f64 = (0..=hits).map(term).sum();
    let above: f64 = (hits..=all).map(term).sum();
    below.min(above) > 5e-7
}

/// For each kind: how it is written, and the number of spans (or traces) of a trace that it has befallen.
type Count = fn(&Run, &Trace, &Trace) -> u64;
const KINDS: [(&str, Count); 12] = [
    ("late: {probability: 7, by_ms: [1000, 2000]}", |_, trace, beneath| {
        let late =
            |(leaves, span): (&u64, &tracegen::trace::SpanRecord)| (SECOND..=2 * SECOND).contains(&(leaves - span.end));
        trace.leaves.iter().zip(&beneath.spans).filter(|pair| late(*pair)).count() as u64
    }),
    ("duplicate: 7", |_, trace, beneath| (trace.spans.len() - beneath.spans.len()) as u64),
    ("orphan: 7", |_, trace, _| {
        let lost = |span: &&tracegen::trace::SpanRecord| {
            span.parent != NONE && trace.leaves.get(span.parent as usize) == Some(&NEVER)
        };
        trace.spans.iter().filter(lost).count() as u64
    }),
    ("missing_root: 7", |_, trace, _| u64::from(trace.leaves.first() == Some(&NEVER))),
    ("clock_skew: {probability: 7, by_ms: [100, 200]}", |_, trace, beneath| {
        let skew = |(span, right): (&tracegen::trace::SpanRecord, &tracegen::trace::SpanRecord)| {
            let by = span.start.abs_diff(right.start);
            assert!((span.end, by) == (right.end, 0) || (100 * MS..=200 * MS).contains(&by));
            u64::from(by > 0)
        };
        trace.spans.iter().zip(&beneath.spans).map(skew).sum()
    }),
    // A range that begins below 0: the skew is never 0 here, and both ends are nearly reached.
    ("clock_skew: {probability: 7, by_ms: [-30, -10.5]}", |_, trace, beneath| {
        let skew = |(span, right): (&tracegen::trace::SpanRecord, &tracegen::trace::SpanRecord)| {
            let behind = right.start - span.start;
            assert!((span.end, behind) == (right.end, 0) || (10_500_000..=30 * MS).contains(&behind));
            u64::from(behind > 0)
        };
        trace.spans.iter().zip(&beneath.spans).map(skew).sum()
    }),
    ("zero_duration: 7", |_, trace, _| trace.spans.iter().filter(|span| span.start == span.end).count() as u64),
    ("negative_duration: 7", |_, trace, _| trace.spans.iter().filter(|span| span.end < span.start).count() as u64),
    ("oversized_attribute: {probability: 7, bytes: 3000}", |run, trace, _| {
        let is_large = |key: &str, value: &str| key == "tracegen.oversized" && value.len() == 3_000;
        with_attribute(run, trace, &is_large)
    }),
    ("invalid_utf8: 7", |run, trace, _| with_attribute(run, trace, &|_, value| value == NOT_UTF8)),
    ("duplicate_span_id: 7", |_, trace, beneath| {
        trace.spans.iter().zip(&beneath.spans).filter(|(span, right)| span.id != right.id).count() as u64
    }),
    ("zero_id: 7", |_, trace, _| trace.spans.iter().filter(|span| span.id == 0).count() as u64),
];

fn with_attribute(run: &Run, trace: &Trace, is: &dyn Fn(&str, &str) -> bool) -> u64 {
    let view = run.origin().view(trace);
    view.spans().filter(|span| span.attributes().any(|(key, value)| is(key, &value.to_string()))).count() as u64
}

#[test]
fn each_kind_befalls_its_share_and_leaves_the_trace_beneath_as_it_was() {
    let plain = run(plan("{}"));
    let originals = traces(Interpreter::new(&plain), 4_000);
    for (written, count) in KINDS {
        let run = run(plan(&format!("{{{written}}}")));
        assert_ne!(run.plan().digest(), plain.plan().digest());
        let (malformed, beneath) = (Interpreter::new(&run), Interpreter::beneath(&run));
        let (malformed, beneath) = (traces(malformed, 4_000), traces(beneath, 4_000));
        for (original, beneath) in originals.iter().zip(&beneath) {
            let shape = |trace: &Trace| -> Vec<_> {
                trace.spans.iter().map(|s| (s.start, s.end, s.parent, s.resource, s.block, s.failure)).collect()
            };
            assert_eq!(shape(original), shape(beneath), "{written}");
            assert_eq!(original.text.as_slice(), beneath.text.as_slice(), "{written}");
        }
        let pairs = || malformed.iter().zip(&beneath);
        let hits: u64 = pairs().map(|(trace, beneath)| count(&run, trace, beneath)).sum();
        let spans: u64 = beneath.iter().map(|trace| trace.spans.len() as u64).sum();
        let all = if written.starts_with("missing_root") { beneath.len() as u64 } else { spans };
        assert!(is_plausible(hits, all, 0.07), "{written}: {hits} of {all}");
        // The draws of one trace depend on no other.
        let again = traces(Interpreter::new(&run), 10);
        for (one, other) in again.iter().zip(&malformed) {
            assert_eq!(format!("{one:?}"), format!("{other:?}"));
        }
    }
}

#[test]
fn only_what_is_selected_is_malformed() {
    let cases = [
        ("{service: cart}", 2),
        ("{operation: 'look ?'}", 1),
        ("{operation: take}", 1),
        ("{scenario: Orders, service: '*'}", 3),
        ("{scenario: 'O*', operation: '*e*', service: shop}", 1),
    ];
    for (select, spans) in cases {
        let run = run(plan(&format!("{{zero_id: {{probability: 100, select: {select}}}}}")));
        for trace in traces(Interpreter::new(&run), 50) {
            assert_eq!(trace.spans.iter().filter(|span| span.id == 0).count(), spans, "{select}");
        }
    }
}

#[test]
fn a_clock_is_skewed_by_instance_and_has_a_resolution() {
    let text = "malform: {clock_skew: {probability: 50, by_ms: [1, 9], by: instance, select: {service: shop}}}\n"
        .to_owned()
        + &SCENARIO.replace("cart: {version: '1'}", "cart: {clock_resolution_ms: 1}");
    let (_, compiled) = compiler::compile_loaded(language::load_texts(vec![("a.yaml".into(), text)]));
    let run = run(compiled.plan.expect("it compiles"));
    let (malformed, beneath) = (traces(Interpreter::new(&run), 3_000), traces(Interpreter::beneath(&run), 3_000));
    let mut skews: HashMap<u32, i64> = HashMap::new();
    for (trace, right) in malformed.iter().zip(&beneath) {
        for (span, right) in trace.spans.iter().zip(&right.spans) {
            if run.plan().service_of(span.block) == "shop" {
                let skew = span.start as i64 - right.start as i64;
                assert_eq!(*skews.entry(span.resource.0).or_insert(skew), skew, "it is constant for an instance");
                assert_eq!(span.end as i64 - right.end as i64, skew);
            } else {
                assert_eq!((span.start, span.end), (right.start / MS * MS, right.end / MS * MS));
            }
        }
    }
    let skewed = skews.values().filter(|skew| **skew != 0);
    assert!(skewed.clone().all(|skew| (MS..=9 * MS).contains(&skew.unsigned_abs())));
    assert!(skews.len() == 40 && (8..=32).contains(&skewed.count()), "{skews:?}");
    assert!(skews.values().any(|skew| *skew < 0) && skews.values().any(|skew| *skew > 0));
}

/// An output that keeps what it gets.
struct Kept(Mutex<Vec<Batch>>);

impl Output for Kept {
    fn send(&self, batch: Batch) -> Result<Option<Vec<u8>>, Closed> {
        self.0.lock().push(batch);
        Ok(None)
    }
}

/// Sends the first traces of a run, all of which lie in the past.
fn sent(run: &Arc<Run>, count: u64, sending: &Sending) -> (Vec<Batch>, Ending) {
    let job = Job {
        run: run.clone(),
        selection: Selection { count: Some(count), ..Selection::default() },
        threads: 1,
        at_full_speed: false,
        ordered: false,
        sending: sending.clone(),
        sent: Sent::default(),
        clock: Arc::new(Process),
        on_epoch: None,
    };
    let kept = Kept(Mutex::default());
    let encoder = || -> Box<dyn Encode> { Box::new(Protobuf::new(run.plan(), run.resources())) };
    let (_, ending) = engine::generate(&job, &encoder, &kept, &Progress::default(), &Stop::default());
    (kept.0.into_inner(), ending)
}

fn verifier(run: &Run, count: u64, ending: &Ending, sending: &Sending) -> Verifier {
    let selection = Selection { count: Some(count), ..Selection::default() };
    let archive = Archive::of(run, selection, Some(ending)).sending(sending.clone());
    let archive = Archive::open(&archive.manifest(None)).expect("a manifest");
    Verifier::new(archive, Fidelity::Otlp, Policy::default())
}

fn verified(run: &Run, count: u64, ending: &Ending, sending: &Sending, batches: &[Batch]) -> Report {
    let mut verifier = verifier(run, count, ending, sending);
    batches.iter().for_each(|batch| verifier.request(&batch.body, None).expect("it is whole"));
    verifier.finish()
}

/// All kinds at once.
const ALL: &str = "{late: {probability: 9, by_ms: [10, 3000]}, duplicate: 9, orphan: 9, missing_root: 9, zero_id: 9, \
    clock_skew: {probability: 9, by_ms: 700}, zero_duration: 9, negative_duration: 9, duplicate_span_id: 9, \
    oversized_attribute: {probability: 9, bytes: 5000}, invalid_utf8: 9}";

#[test]
fn what_is_sent_malformed_is_delivered_and_what_is_lost_of_it_is_missed() {
    let both = [Sending::default(), Sending { unit: Unit::Spans { batch_delay: SECOND }, ..Sending::default() }];
    for sending in both {
        for kind in KINDS.map(|(written, _)| format!("{{{written}}}")).into_iter().chain([ALL.to_owned()]) {
            let run = run(plan(&kind));
            let (batches, ending) = sent(&run, 600, &sending);
            let spans: u64 = batches.iter().map(|batch| batch.spans).sum();
            assert_eq!(batches.iter().map(|batch| batch.traces).sum::<u64>(), 600);
            let report = verified(&run, 600, &ending, &sending, &batches);
            assert_eq!((&report.verdict, report.expected, report.delivered), (&Verdict::Clean, spans, spans), "{kind}");
            let without = &batches[1..];
            let report = verified(&run, 600, &ending, &sending, without);
            assert_eq!((report.lost, report.copies), (batches[0].spans, 0), "{kind}");
            let twice = [&batches[..], &batches[..1]].concat();
            let report = verified(&run, 600, &ending, &sending, &twice);
            assert_eq!((report.lost, report.copies), (0, batches[0].spans), "{kind}");
        }
    }
}

#[test]
fn the_edge_cases_are_sent_and_arrive() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/examples/edge_cases.yaml");
    let (_, compiled) = compiler::compile_loaded(language::load(&[path]));
    assert_eq!(compiled.diagnostics, []);
    let plan = compiled.plan.expect("it compiles");
    let widest = |scenario: &tracegen::plan::Scenario| plan.text(scenario.name) == "Edge: 60,000 spans";
    let only = plan.with_weights(plan.scenarios.iter().map(|scenario| f64::from(u8::from(widest(scenario)))));
    let (only, sending) = (run(only.expect("weights")), Sending::default());
    let (batches, ending) = sent(&only, 1, &sending);
    let report = verified(&only, 1, &ending, &sending, &batches);
    assert_eq!((report.verdict, report.delivered), (Verdict::Clean, 60_001));
    let others = plan.with_weights(plan.scenarios.iter().map(|scenario| f64::from(u8::from(!widest(scenario)))));
    let run = run(others.expect("weights"));
    let count = 40;
    let mut largest: HashMap<String, usize> = HashMap::new();
    for trace in traces(Interpreter::new(&run), count) {
        let view = run.origin().view(&trace);
        let most = largest.entry(view.scenario().into()).or_default();
        *most = view.spans().count().max(*most);
    }
    assert_eq!(largest.len() + 1, run.plan().scenarios.len(), "each is among the first traces: {largest:?}");
    assert_eq!((largest["Edge: 10,000 spans"], largest["Edge: 64 levels"]), (10_000, 64));
    let (batches, ending) = sent(&run, count, &sending);
    let Some(mut collector) = Collector::start(Written::Protobuf) else { return };
    let flags =
        TargetFlags { endpoint: Some(collector.grpc_url()), protocol: Some("grpc".into()), ..TargetFlags::default() };
    let target = Target::resolve(flags, &|_| None).expect("a target");
    let delivery = Delivery::start(target, Options::default()).expect("it starts");
    batches.iter().for_each(|batch| drop(delivery.send(batch.clone())));
    let account = delivery.finish();
    assert!(account.is_whole(), "{account:?}");
    sleep(Duration::from_millis(500));
    collector.stop();
    let mut verifier = verifier(&run, count, &ending, &sending);
    let source = tracegen::verify::Source::Files(collector.files());
    source.read(&mut verifier, &mut |_| ()).expect("it can be read");
    let report = verifier.finish();
    assert_eq!(report.verdict, Verdict::Clean, "{report:#?}");
}

#[test]
fn json_and_stored_traces_hold_malformed_spans_too() {
    let run = run(plan(ALL));
    let mut json = Json::new(run.plan(), run.resources());
    let mut spans = 0;
    let mut bodies = vec![];
    for trace in traces(Interpreter::new(&run), 300) {
        let view = run.origin().view(&trace);
        json.add(view, &mut |batch| bodies.push(batch));
        let stored = StoredTrace::of(view).expect("it is small");
        assert_eq!(stored.spans.len(), view.spans().count());
        spans += stored.spans.len() as u64;
    }
    json.flush(&mut |batch| bodies.push(batch));
    assert_eq!(bodies.iter().map(|batch| batch.spans).sum::<u64>(), spans);
    for batch in &bodies {
        let text = std::str::from_utf8(&batch.body).expect("JSON is UTF-8");
        let _: ExportTraceServiceRequest = serde_json::from_str(text).expect("a request");
        assert!(text.contains(NOT_UTF8));
    }
}

#[test]
fn a_collector_passes_malformed_spans_on() {
    for kind in KINDS.map(|(written, _)| format!("{{{written}}}")) {
        let Some(mut collector) = Collector::with(vec![Written::Json, Written::Protobuf], &[]) else { return };
        let run = run(plan(&kind));
        let sending = Sending::default();
        let (batches, ending) = sent(&run, 300, &sending);
        let flags = TargetFlags {
            endpoint: Some(collector.grpc_url()),
            protocol: Some("grpc".into()),
            ..TargetFlags::default()
        };
        let target = Target::resolve(flags, &|_| None).expect("a target");
        let delivery = Delivery::start(target, Options::default()).expect("it starts");
        batches.iter().for_each(|batch| drop(delivery.send(batch.clone())));
        let account = delivery.finish();
        assert!(account.is_whole(), "{kind}: {account:?}");
        sleep(Duration::from_millis(300));
        collector.stop();
        for file in collector.files() {
            let mut verifier = verifier(&run, 300, &ending, &sending);
            let source = tracegen::verify::Source::Files(vec![file.clone()]);
            source.read(&mut verifier, &mut |_| ()).expect("it can be read");
            let report = verifier.finish();
            assert_eq!(report.verdict, Verdict::Clean, "{kind} {}: {report:#?}", file.display());
        }
    }
}
