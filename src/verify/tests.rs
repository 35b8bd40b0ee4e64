//! Tests that the report states exactly what was done to a run's spans.

mod changes;

use super::*;
use crate::export::{Encode, Protobuf};
use crate::interpreter::{Arrivals, Interpreter, Run, Schedule};
use crate::journal::{Archive, Ending, Selection};
use crate::otlp::stream::{Found, Groups};
use crate::plan::Plan;
use crate::plans;
use crate::trace::{StoredSpan, Trace};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value::Value};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, Span};
use proptest::prelude::*;
use prost::Message;
use std::collections::BTreeSet;
use std::sync::Arc;

const SECOND: u64 = 1_000_000_000;
const START: u64 = 1_767_225_600 * SECOND;

fn run(plan: Plan) -> Arc<Run> {
    let schedule = Schedule::new(START, Arrivals::Even { count: 100, per_ns: SECOND }).unwrap();
    Arc::new(Run::new(Arc::new(plan), 42, schedule))
}

/// Makes the archive of a run that ended after `traces` traces.
fn archive(run: &Run, traces: u64) -> Archive {
    let ending = Ending { stopped: None, end: traces, schedule: run.schedule().clone() };
    Archive::of(run, Selection::default(), Some(&ending))
}

fn traces(run: &Arc<Run>, n: u64) -> Vec<Trace> {
    let mut interpreter = Interpreter::new(run);
    let make = |index| {
        let mut trace = Trace::default();
        interpreter.trace(index, &mut trace);
        trace
    };
    (0..n).map(make).collect()
}

/// Returns the requests that tracegen sends for the traces.
fn bodies(run: &Run, traces: &[Trace]) -> Vec<Vec<u8>> {
    let mut encoder = Protobuf::new(run.plan(), run.resources());
    let mut bodies = vec![];
    traces.iter().for_each(|trace| encoder.add(run.origin().view(trace), &mut |batch| bodies.push(batch.body)));
    encoder.flush(&mut |batch| bodies.push(batch.body));
    bodies
}

/// Returns the spans of the traces in their order, each in a `ResourceSpans` of its own.
fn singles(run: &Run, traces: &[Trace]) -> Vec<ResourceSpans> {
    let mut singles = vec![];
    for trace in traces {
        let body = bodies(run, std::slice::from_ref(trace)).concat();
        let request = ExportTraceServiceRequest::decode(&body[..]).unwrap();
        let mut of_trace = vec![];
        for group in request.resource_spans {
            for span in group.scope_spans[0].spans.clone() {
                let mut single = group.clone();
                single.scope_spans[0].spans = vec![span];
                of_trace.push(single);
            }
        }
        let at = |id: &[u8]| trace.spans.iter().position(|span| span.id.to_be_bytes() == id);
        of_trace.sort_by_key(|single| at(&single.scope_spans[0].spans[0].span_id));
        singles.extend(of_trace);
    }
    singles
}

fn span(single: &mut ResourceSpans) -> &mut Span {
    &mut single.scope_spans[0].spans[0]
}

fn verified(run: &Run, traces: u64, requests: &[Vec<ResourceSpans>]) -> Report {
    let mut verifier = Verifier::new(archive(run, traces), Fidelity::Otlp, Policy::default());
    for request in requests {
        let body = ExportTraceServiceRequest { resource_spans: request.clone() }.encode_to_vec();
        verifier.request(&body, None).unwrap();
    }
    verifier.finish()
}

#[test]
fn a_clean_run_is_clean() {
    for plan in [plans::ecommerce(), plans::wide(), plans::linked()] {
        let run = run(plan);
        let made = traces(&run, 500);
        let spans: u64 = made.iter().map(|trace| trace.spans.len() as u64).sum();
        let mut verifier = Verifier::new(archive(&run, 500), Fidelity::Otlp, Policy::default());
        bodies(&run, &made).iter().for_each(|body| verifier.request(body, None).unwrap());
        let report = verifier.finish();
        assert_eq!(report.verdict, Verdict::Clean, "{report:?}");
        assert_eq!((report.expected, report.delivered, report.traces.whole), (spans, spans, 500));
        let of_scenarios: u64 = report.scenarios.values().map(|scenario| scenario.spans.delivered).sum();
        let of_services: u64 = report.services.values().map(|service| service.delivered).sum();
        assert_eq!((of_scenarios, of_services), (spans, spans));
        let failed: u64 = report.scenarios.values().map(|scenario| scenario.failed).sum();
        assert_eq!(failed, made.iter().filter(|trace| !trace.failures.is_empty()).count() as u64);
        // These are the spans as a lossless store returns them.
        let mut verifier = Verifier::new(archive(&run, 500), Fidelity::Otlp, Policy::default());
        for trace in &made {
            for span in run.origin().view(trace).spans() {
                verifier.observe(trace.id, &StoredSpan::of(span), Some(span.record().end + 5));
            }
        }
        let report = verifier.finish();
        assert_eq!((report.verdict, report.delivered), (Verdict::Clean, spans));
        assert_eq!(report.late.unwrap().max, 5);
    }
}

/// What happens to a span on its way.
#[derive(Clone, Copy, Debug)]
enum Deed {
    Pass,
    Drop,
    Double,
    Triple,
    /// One of the edits, by its index.
    Edit(usize),
    EditOneOfTwo(usize),
}

type Edit = fn(&mut ResourceSpans);

/// The edits, each with the field that it alters.
const EDITS: &[(&str, Edit)] = &[
    ("name", |single| span(single).name.push('!')),
    ("kind", |single| span(single).kind = 0),
    ("start", |single| span(single).start_time_unix_nano += 1),
    ("end", |single| span(single).end_time_unix_nano += 1),
    ("status", |single| {
        span(single).status = Some(opentelemetry_proto::tonic::trace::v1::Status { message: "x".into(), code: 1 })
    }),
    ("flags", |single| span(single).flags = 0),
    ("trace_state", |single| span(single).trace_state = "a=b".into()),
    ("parent_span_id", |single| span(single).parent_span_id = vec![7; 8]),
    ("status", |single| {
        let message = "said of a span that did not fail".into();
        span(single).status = Some(opentelemetry_proto::tonic::trace::v1::Status { message, code: 0 })
    }),
    ("attributes.added", |single| span(single).attributes.push(text("added", "x"))),
    ("attributes.added", |single| span(single).attributes.push(KeyValue { key: "added".into(), ..Default::default() })),
    ("attributes.added", |single| {
        let value = Some(AnyValue { value: None });
        span(single).attributes.push(KeyValue { key: "added".into(), value, ..Default::default() })
    }),
    ("events", |single| span(single).events.push(Default::default())),
    // For an item that was not sent, only the name of the list is reported.
    ("events", |single| {
        let event = opentelemetry_proto::tonic::trace::v1::span::Event {
            dropped_attributes_count: 1,
            attributes: vec![KeyValue::default()],
            ..Default::default()
        };
        span(single).events.push(event)
    }),
    ("links", |single| span(single).links.push(Default::default())),
    ("links", |single| {
        span(single)
            .links
            .push(opentelemetry_proto::tonic::trace::v1::span::Link { flags: 0x303, ..Default::default() })
    }),
    ("dropped_attributes_count", |single| span(single).dropped_attributes_count = 1),
    ("resource.host.name", |single| single.resource.get_or_insert_default().attributes.push(text("host.name", "x"))),
    ("resource.added", |single| {
        let added = KeyValue { key: "added".into(), ..Default::default() };
        single.resource.get_or_insert_default().attributes.push(added)
    }),
    ("resource.entity_refs", |single| single.resource.get_or_insert_default().entity_refs.push(Default::default())),
    ("resource.service.name", |single| {
        single.resource.get_or_insert_default().attributes.retain(|pair| pair.key != "service.name")
    }),
    ("scope.version", |single| single.scope_spans[0].scope.get_or_insert_default().version = "1".into()),
    ("scope.schema_url", |single| single.scope_spans[0].schema_url = "x".into()),
];

fn text(key: &str, value: &str) -> KeyValue {
    let value = Some(AnyValue { value: Some(Value::StringValue(value.into())) });
    KeyValue { key: key.into(), value, ..Default::default() }
}

fn deed() -> impl Strategy<Value = Deed> {
    prop_oneof![
        8 => Just(Deed::Pass),
        1 => Just(Deed::Drop),
        1 => Just(Deed::Double),
        1 => Just(Deed::Triple),
        2 => (0..EDITS.len()).prop_map(Deed::Edit),
        1 => (0..EDITS.len()).prop_map(Deed::EditOneOfTwo),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    #[test]
    fn the_report_states_what_was_done_to_the_spans(
        deeds in prop::collection::vec(deed(), 40),
        whole in prop::collection::btree_set(0..40usize, 0..6),
        order: u64,
    ) {
        use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
        let run = run(plans::ecommerce());
        let made = traces(&run, 40);
        let mut sent: Vec<ResourceSpans> = vec![];
        let (mut lost, mut duplicated, mut copies, mut altered, mut orphaned) = (0, 0, 0, 0, 0);
        let (mut fields, mut partly) = (BTreeSet::new(), 0);
        let mut next = deeds.iter().cycle();
        for (i, trace) in made.iter().enumerate() {
            if whole.contains(&i) {
                lost += trace.spans.len() as u64;
                continue;
            }
            let mut gone = vec![];
            for (ordinal, mut single) in singles(&run, std::slice::from_ref(trace)).into_iter().enumerate() {
                let deed = *next.next().unwrap();
                gone.push(matches!(deed, Deed::Drop));
                let times = match deed {
                    Deed::Drop => 0,
                    Deed::Pass | Deed::Edit(_) => 1,
                    Deed::Double | Deed::EditOneOfTwo(_) => 2,
                    Deed::Triple => 3,
                };
                sent.extend((1..times).map(|_| single.clone()));
                lost += (times == 0) as u64;
                duplicated += (times > 1) as u64;
                copies += u64::saturating_sub(times, 1);
                if let Deed::Edit(edit) | Deed::EditOneOfTwo(edit) = deed {
                    EDITS[edit].1(&mut single);
                    altered += 1;
                    fields.insert(EDITS[edit].0);
                }
                if times > 0 {
                    sent.push(single);
                    let parent = trace.spans[ordinal].parent as usize;
                    orphaned += gone.get(parent).is_some_and(|gone| *gone) as u64;
                }
            }
            let missing = gone.iter().filter(|gone| **gone).count();
            partly += (missing > 0 && missing < gone.len()) as u64;
        }
        let hash = |single: &ResourceSpans| {
            BuildHasherDefault::<DefaultHasher>::new().hash_one((order, &single.scope_spans[0].spans[0].span_id))
        };
        sent.sort_by_key(hash);
        let requests: Vec<Vec<ResourceSpans>> = sent.chunks(7).map(<[_]>::to_vec).collect();
        let report = verified(&run, 40, &requests);
        let spans: u64 = made.iter().map(|trace| trace.spans.len() as u64).sum();
        prop_assert_eq!((report.expected, report.delivered, report.lost), (spans, spans - lost, lost));
        prop_assert_eq!((report.duplicated, report.copies), (duplicated, copies));
        prop_assert_eq!((report.altered, report.orphaned, report.unexpected), (altered, orphaned, Some(0)));
        prop_assert_eq!(report.traces.partly, partly);
        let said: BTreeSet<&str> = report.fields.iter().map(|field| field.field.as_str()).collect();
        prop_assert_eq!(said, fields);
        for tally in report.services.values().chain(report.scenarios.values().map(|scenario| &scenario.spans)) {
            prop_assert_eq!(tally.expected, tally.delivered + tally.lost);
        }
        let of_services = report.services.values().copied().sum::<Tally>();
        prop_assert_eq!((of_services.lost, of_services.duplicated, of_services.altered, of_services.orphaned), (lost, duplicated, altered, orphaned));
    }

    #[test]
    fn hostile_bytes_are_taken(flips in prop::collection::vec((0..20_000usize, any::<u8>()), 1..8), cut in 0..20_000usize) {
        let run = run(plans::ecommerce());
        let made = traces(&run, 5);
        let mut body = bodies(&run, &made).concat();
        let length = body.len();
        flips.iter().for_each(|(at, byte)| body[at % length] = *byte);
        let mut verifier = Verifier::new(archive(&run, 5), Fidelity::Otlp, Policy::default());
        let _ = verifier.request(&body[..cut % (length + 1)], None);
        let _ = verifier.request(&body, None);
        let report = verifier.finish();
        let spans: u64 = made.iter().map(|trace| trace.spans.len() as u64).sum();
        prop_assert_eq!(report.delivered + report.lost, spans);
    }
}

#[test]
fn a_list_with_an_element_without_a_value_is_another_list() {
    use opentelemetry_proto::tonic::common::v1::ArrayValue;
    let run = run(plans::ecommerce());
    let made = traces(&run, 1);
    let list = |values: Vec<Option<Value>>| {
        let values = values.into_iter().map(|value| AnyValue { value }).collect();
        let value = Some(AnyValue { value: Some(Value::ArrayValue(ArrayValue { values })) });
        KeyValue { key: "list".into(), value, ..Default::default() }
    };
    let found = |pair: KeyValue| {
        let mut sent = singles(&run, &made);
        span(&mut sent[0]).attributes.push(pair);
        let report = verified(&run, 1, &[sent]);
        report.fields.into_iter().next().unwrap().found
    };
    let (whole, empty) =
        (found(list(vec![Some(Value::IntValue(1))])), found(list(vec![Some(Value::IntValue(1)), None])));
    assert_eq!(whole, "[1]");
    assert!(empty != whole && empty.contains("None"), "{empty}");
}

#[test]
fn an_invented_span_is_told_apart_from_those_of_traces_that_the_run_never_sent() {
    let run = run(plans::ecommerce());
    let made = traces(&run, 3);
    let mut sent = singles(&run, &made);
    let mut invented = sent[0].clone();
    span(&mut invented).span_id = sent.last_mut().map(span).unwrap().span_id.clone();
    // The run ended after two traces, so those of the third were never sent.
    let beyond = made[2].spans.len() as u64;
    sent.push(invented);
    let report = verified(&run, 2, &[sent]);
    assert_eq!((report.invented, report.unexpected, report.strangers.never_sent.spans), (1, Some(beyond), beyond));
    assert_eq!(report.verdict, Verdict::Short { faults: vec![Fault::Invented], unchecked: vec![] });
}

#[test]
fn json_gives_the_same_report_as_protobuf() {
    let run = run(plans::linked());
    let made = traces(&run, 200);
    let spans: u64 = made.iter().map(|trace| trace.spans.len() as u64).sum();
    let mut encoder = crate::export::Json::new(run.plan(), run.resources());
    let mut lines = vec![];
    made.iter().for_each(|trace| encoder.add(run.origin().view(trace), &mut |batch| lines.push(batch.body)));
    encoder.flush(&mut |batch| lines.push(batch.body));
    let verified = |edit: &dyn Fn(String) -> String| {
        let mut verifier = Verifier::new(archive(&run, 200), Fidelity::Otlp, Policy::default());
        for line in &lines {
            let line = edit(String::from_utf8(line.clone()).unwrap());
            let mut groups = Groups::new(line.as_bytes());
            while let Some(found) = groups.read().unwrap() {
                let Found::Group(_, group) = found else { panic!("{found:?}") };
                verifier.json_group(group, None).unwrap();
            }
        }
        verifier.finish()
    };
    assert_eq!(verified(&|line| line).verdict, Verdict::Clean);
    // The same content written differently is read, too.
    let spaced = verified(&|line| {
        line.replace("\"traceId\":", " \"traceId\" : ").replace("\"flags\":", "\"later\":[],\"flags\":")
    });
    assert_eq!((spaced.verdict, spaced.delivered), (Verdict::Clean, spans));
    let altered = verified(&|line| line.replace("\"scope\":{\"name\":\"tracegen\"}", "\"scope\":{\"name\":\"other\"}"));
    assert_eq!((altered.altered, altered.fields[0].field.as_str()), (spans, "scope.name"));
    let entity =
        verified(&|line| line.replace("\"resource\":{", "\"resource\":{\"entityRefs\":[{\"type\":\"host\"}],"));
    assert_eq!((entity.altered, entity.fields[0].field.as_str()), (spans, "resource.entity_refs"));
    let versioned = verified(&|line| line.replace("\"flags\":259", "\"flags\":0"));
    assert!(versioned.altered > 0 && versioned.fields.len() == 1 && versioned.fields[0].field == "flags");
}
