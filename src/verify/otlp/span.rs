//! Messages of OTLP to what is compared.

use super::Received;
use crate::plan::SpanKind;
use crate::store::{Attributes, Status, StoredEvent, StoredLink, StoredSpan};
use crate::trace::{FLAGS_REMOTE, OwnedDatum};
use crate::verify::Difference;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value::Value};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::{Event, Link};

/// What the spans of one `ScopeSpans` share.
pub struct Shared {
    resource: Attributes,
    service: String,
    scope: String,
    beside: Vec<Difference>,
}

impl Shared {
    /// `schemas`: of the resource and of the scope.
    pub fn new(resource: Resource, scope: InstrumentationScope, schemas: [&str; 2]) -> Shared {
        let mut beside = Beside::default();
        beside.count("resource.dropped_attributes_count", resource.dropped_attributes_count);
        beside.text("resource.schema_url", schemas[0]);
        beside.text("scope.version", &scope.version);
        beside.count("scope.attributes", scope.attributes.len() as u32);
        beside.count("scope.dropped_attributes_count", scope.dropped_attributes_count);
        beside.text("scope.schema_url", schemas[1]);
        let resource = attributes(resource.attributes);
        let service =
            resource.iter().find(|(key, _)| key == "service.name").map(|(_, value)| value.as_datum().to_string());
        Shared { service: service.unwrap_or_default(), resource, scope: scope.name, beside: beside.0 }
    }
}

/// A span, with all that its group says of it.
pub fn received(span: Span, shared: &Shared) -> Received {
    let mut beside = Beside(shared.beside.clone());
    beside.count("dropped_attributes_count", span.dropped_attributes_count);
    beside.count("dropped_events_count", span.dropped_events_count);
    beside.count("dropped_links_count", span.dropped_links_count);
    span.events
        .iter()
        .for_each(|event| beside.count("events.dropped_attributes_count", event.dropped_attributes_count));
    for link in &span.links {
        beside.count("links.dropped_attributes_count", link.dropped_attributes_count);
        if link.flags != FLAGS_REMOTE {
            beside.0.push(Difference::new("links.flags", &format!("{FLAGS_REMOTE:#x}"), &format!("{:#x}", link.flags)));
        }
    }
    let (start, end) = (span.start_time_unix_nano, span.end_time_unix_nano);
    if end < start {
        beside.0.push(Difference::new("end", "not before the start", &end.to_string()));
    }
    let status = span.status.unwrap_or_default();
    let span_id = |id: &[u8]| id.try_into().map_or(0, u64::from_be_bytes);
    Received {
        trace: span.trace_id.as_slice().try_into().ok(),
        beside: beside.0,
        span: StoredSpan {
            id: span_id(&span.span_id),
            parent: (!span.parent_span_id.is_empty()).then(|| span_id(&span.parent_span_id)),
            name: span.name,
            kind: kind(span.kind),
            service: shared.service.clone(),
            scope: shared.scope.clone(),
            trace_state: span.trace_state,
            flags: Some(span.flags),
            start,
            duration: end.saturating_sub(start),
            status: match status.code {
                2 => Status::Error(status.message),
                1 => Status::Ok,
                _ => Status::Unset,
            },
            resource: shared.resource.clone(),
            attributes: attributes(span.attributes),
            events: span.events.into_iter().map(event).collect(),
            links: span.links.into_iter().map(|of| link(of, span_id)).collect(),
        },
    }
}

/// Fields that are to hold their default.
#[derive(Default)]
struct Beside(Vec<Difference>);

impl Beside {
    fn count(&mut self, field: &str, found: u32) {
        if found != 0 {
            self.0.push(Difference::new(field, "0", &found.to_string()));
        }
    }

    fn text(&mut self, field: &str, found: &str) {
        if !found.is_empty() {
            self.0.push(Difference::new(field, "\"\"", &format!("{found:?}")));
        }
    }
}

fn event(event: Event) -> StoredEvent {
    StoredEvent { time: event.time_unix_nano, name: event.name, attributes: attributes(event.attributes) }
}

fn link(link: Link, span_id: impl Fn(&[u8]) -> u64) -> StoredLink {
    StoredLink {
        trace_id: link.trace_id.as_slice().try_into().unwrap_or_default(),
        span_id: span_id(&link.span_id),
        trace_state: link.trace_state,
        attributes: attributes(link.attributes),
    }
}

fn attributes(pairs: Vec<KeyValue>) -> Attributes {
    pairs.into_iter().filter_map(|pair| Some((pair.key, datum(pair.value?)?))).collect()
}

/// `None`: a value without any value. What tracegen never sends is shown as text.
fn datum(value: AnyValue) -> Option<OwnedDatum> {
    Some(match value.value? {
        Value::StringValue(v) => OwnedDatum::Text(v),
        Value::IntValue(v) => OwnedDatum::Int(v),
        Value::DoubleValue(v) => OwnedDatum::Double(v),
        Value::BoolValue(v) => OwnedDatum::Bool(v),
        Value::ArrayValue(items) => OwnedDatum::List(items.values.into_iter().filter_map(datum).collect()),
        other => OwnedDatum::Text(format!("{other:?}")),
    })
}

fn kind(kind: i32) -> Option<SpanKind> {
    let kinds = [SpanKind::Internal, SpanKind::Server, SpanKind::Client, SpanKind::Producer, SpanKind::Consumer];
    kinds.into_iter().find(|known| *known as i32 == kind)
}
