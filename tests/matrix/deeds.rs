//! The things that a pipeline can do to a run, and the expected report.

use super::states::Snapshot;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value::Value};
use opentelemetry_proto::tonic::trace::v1::Span;
use serde_json::{Value as Json, json};
use std::collections::HashSet;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deed {
    AllArrived,
    SomeLost,
    SomeDoubled,
    Invented,
    /// The field that may be altered is altered.
    Altered,
    /// A second field is altered, too, whose name begins with that of the first.
    AlteredNeighbour,
    NothingArrived,
}

pub const DEEDS: [Deed; 7] = [
    Deed::AllArrived,
    Deed::SomeLost,
    Deed::SomeDoubled,
    Deed::Invented,
    Deed::Altered,
    Deed::AlteredNeighbour,
    Deed::NothingArrived,
];

/// The field that may be altered.
const FIELD: &str = "deployment.environment";
const NEIGHBOUR: &str = "deployment.environment.name";
pub const ALLOWED: &str = "altered=resource.deployment.environment";

/// The requests that arrived, and what is known of them.
pub struct Arrived {
    pub requests: Vec<ExportTraceServiceRequest>,
    deed: Deed,
    /// The manifest has no end.
    open: bool,
    /// The number of expected spans.
    sent: u64,
    lost: u64,
    orphaned: u64,
    doubled: u64,
}

fn spans_mut(requests: &mut [ExportTraceServiceRequest]) -> impl Iterator<Item = &mut Vec<Span>> {
    let resources = requests.iter_mut().flat_map(|request| &mut request.resource_spans);
    resources.flat_map(|resource| &mut resource.scope_spans).map(|scope| &mut scope.spans)
}

pub fn spans(requests: &[ExportTraceServiceRequest]) -> Vec<Span> {
    spans_mut(&mut requests.to_vec()).flat_map(|spans| spans.clone()).collect()
}

impl Deed {
    pub fn done_to(self, run: &Snapshot) -> Arrived {
        let mut requests = run.sent.clone();
        let all = spans(&requests);
        let mut arrived = Arrived {
            requests: vec![],
            deed: self,
            open: run.open,
            sent: all.len() as u64,
            lost: 0,
            orphaned: 0,
            doubled: 0,
        };
        match self {
            Deed::AllArrived => {}
            Deed::SomeLost => {
                // The last trace stays complete, because it shows how far an unfinished run has come.
                let last = all.iter().max_by_key(|span| span.start_time_unix_nano).expect("a span").trace_id.clone();
                let mut n = 0;
                let mut gone = HashSet::new();
                for spans in spans_mut(&mut requests) {
                    spans.retain(|span| {
                        n += 1;
                        let lost = n % 7 == 0 && span.trace_id != last;
                        if lost {
                            gone.insert(span.span_id.clone());
                        }
                        !lost
                    });
                }
                arrived.lost = gone.len() as u64;
                arrived.orphaned =
                    spans(&requests).iter().filter(|span| gone.contains(&span.parent_span_id)).count() as u64;
            }
            Deed::SomeDoubled => {
                let again = requests[0].clone();
                arrived.doubled = spans(std::slice::from_ref(&again)).len() as u64;
                requests.push(again);
            }
            Deed::Invented => {
                let spans = spans_mut(&mut requests).next().expect("a span");
                spans.push(Span { span_id: vec![7; 8], ..spans[0].clone() });
            }
            Deed::Altered => alter(&mut requests, FIELD),
            Deed::AlteredNeighbour => {
                alter(&mut requests, FIELD);
                alter(&mut requests, NEIGHBOUR);
            }
            Deed::NothingArrived => requests.clear(),
        }
        arrived.requests = requests;
        arrived
    }
}

fn alter(requests: &mut [ExportTraceServiceRequest], key: &str) {
    for resource in requests.iter_mut().flat_map(|request| &mut request.resource_spans) {
        let attributes = &mut resource.resource.get_or_insert_default().attributes;
        attributes.retain(|attribute| attribute.key != key);
        let value = Some(AnyValue { value: Some(Value::StringValue("altered".into())) });
        attributes.push(KeyValue { key: key.into(), value, ..Default::default() });
    }
}

impl Arrived {
    /// Asserts that a report and an exit status match the deed.
    #[track_caller]
    pub fn assert_said(&self, place: &str, report: &Json, exit: i32) {
        let cell = format!("{place}, {:?}, {}", self.deed, if self.open { "without an end" } else { "ended" });
        let (verdict, status, faults): (_, _, &[&str]) = match (self.deed, self.open) {
            (Deed::SomeDoubled, _) => ("short", 1, &["duplicated"]),
            (Deed::Invented, _) => ("short", 1, &["invented"]),
            (Deed::AlteredNeighbour, _) => ("short", 1, &["altered"]),
            (Deed::NothingArrived, _) | (_, true) => ("unchecked", 3, &[]),
            (Deed::AllArrived | Deed::Altered, false) => ("clean", 0, &[]),
            (Deed::SomeLost, false) if self.orphaned == 0 => ("short", 1, &["lost"]),
            (Deed::SomeLost, false) => ("short", 1, &["lost", "orphaned"]),
        };
        assert_eq!((report["verdict"]["is"].as_str(), exit), (Some(verdict), status), "{cell}: {report:#}");
        if !faults.is_empty() {
            assert_eq!(report["verdict"]["of"], json!(faults), "{cell}: {report:#}");
            assert_eq!(report["verdict"]["unchecked"].is_array(), self.open, "{cell}: {report:#}");
        }
        let count = |key: &str| report[key].as_u64().unwrap_or_else(|| panic!("{cell}: no {key}: {report:#}"));
        let nothing = self.deed == Deed::NothingArrived;
        // In a run without an end, the arrived traces show how far it has come.
        let expected = if nothing && self.open { 0 } else { self.sent };
        let lost = if nothing { expected } else { self.lost };
        let altered = matches!(self.deed, Deed::Altered | Deed::AlteredNeighbour);
        let (altered, spoilt) = (altered as u64 * self.sent, (self.deed == Deed::AlteredNeighbour) as u64 * self.sent);
        let keys =
            ["expected", "delivered", "lost", "orphaned", "duplicated", "altered", "altered_not_allowed", "invented"];
        let figures = [
            expected,
            expected - lost,
            lost,
            self.orphaned,
            self.doubled,
            altered,
            spoilt,
            (self.deed == Deed::Invented) as u64,
        ];
        assert_eq!(keys.map(count), figures, "{keys:?} {cell}: {report:#}");
        let field = |at: usize| (report["fields"][at]["field"].as_str(), report["fields"][at]["allowed"].as_bool());
        let (allowed, fault) = (Some("resource.deployment.environment"), Some("resource.deployment.environment.name"));
        match self.deed {
            Deed::Altered => assert_eq!((field(0), field(1).0), ((allowed, Some(true)), None), "{cell}"),
            Deed::AlteredNeighbour => {
                assert_eq!((field(0), field(1)), ((fault, Some(false)), (allowed, Some(true))), "{cell}");
            }
            _ => {
                assert_eq!(field(0).0, None, "{cell}: {report:#}");
                assert_eq!(report["unused_allowances"], json!([ALLOWED]), "{cell}");
            }
        }
    }
}
