//! Messages of OTLP to what is compared.

use super::Received;
use crate::plan::SpanKind;
use crate::trace::{self, Attributes, FLAGS_REMOTE, OwnedDatum, StoredEvent, StoredLink, StoredSpan};
use crate::verify::compare::{ABSENT, Difference};
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value::Value};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::{Event, Link};
use opentelemetry_proto::tonic::trace::v1::{Span, Status};

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
        beside.count("resource.entity_refs", resource.entity_refs.len() as u32);
        beside.text("resource.schema_url", schemas[0]);
        beside.text("scope.version", &scope.version);
        beside.count("scope.attributes", scope.attributes.len() as u32);
        beside.count("scope.dropped_attributes_count", scope.dropped_attributes_count);
        beside.text("scope.schema_url", schemas[1]);
        let resource = beside.attributes("resource.", resource.attributes);
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
    let (start, end) = (span.start_time_unix_nano, span.end_time_unix_nano);
    if end < start {
        beside.0.push(Difference::new("end", "not before the start", &end.to_string()));
    }
    let status = span.status.unwrap_or_default();
    beside.status(&status);
    let attributes = beside.attributes("attributes.", span.attributes);
    let events = span.events.into_iter().map(|event| beside.event(event)).collect();
    let links = span.links.into_iter().map(|link| beside.link(link)).collect();
    Received {
        trace: span.trace_id.as_slice().try_into().unwrap_or_default(),
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
                2 => trace::Status::Error(status.message),
                1 => trace::Status::Ok,
                _ => trace::Status::Unset,
            },
            resource: shared.resource.clone(),
            attributes,
            events,
            links,
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

    /// A message where there is no error, or a code that there is not.
    fn status(&mut self, status: &Status) {
        let name = match status.code {
            2 => return,
            0 | 1 if status.message.is_empty() => return,
            0 => "Unset".into(),
            1 => "Ok".into(),
            code => format!("code {code}"),
        };
        self.0.push(Difference::new("status", "no such message or code", &format!("{name}: {}", status.message)));
    }

    /// What has no value is no attribute of a span as tracegen sends it.
    fn attributes(&mut self, prefix: &str, pairs: Vec<KeyValue>) -> Attributes {
        let mut attributes = Vec::with_capacity(pairs.len());
        for KeyValue { key, value, .. } in pairs {
            match value.and_then(datum) {
                Some(datum) => attributes.push((key, datum)),
                None => self.0.push(Difference::new(format!("{prefix}{key}"), ABSENT, "(no value)")),
            }
        }
        attributes
    }

    fn event(&mut self, event: Event) -> StoredEvent {
        self.count("events.dropped_attributes_count", event.dropped_attributes_count);
        let attributes = self.attributes("events.attributes.", event.attributes);
        StoredEvent { time: event.time_unix_nano, name: event.name, attributes }
    }

    fn link(&mut self, link: Link) -> StoredLink {
        self.count("links.dropped_attributes_count", link.dropped_attributes_count);
        if link.flags != FLAGS_REMOTE {
            let [expected, found] = [FLAGS_REMOTE, link.flags].map(|flags| format!("{flags:#x}"));
            self.0.push(Difference::new("links.flags", &expected, &found));
        }
        StoredLink {
            trace_id: link.trace_id.as_slice().try_into().unwrap_or_default(),
            span_id: span_id(&link.span_id),
            trace_state: link.trace_state,
            attributes: self.attributes("links.attributes.", link.attributes),
        }
    }
}

/// 0 where it is of another length.
fn span_id(id: &[u8]) -> u64 {
    id.try_into().map_or(0, u64::from_be_bytes)
}

/// `None`: a value without any value. What tracegen never sends is shown as text.
fn datum(value: AnyValue) -> Option<OwnedDatum> {
    Some(match value.value? {
        Value::StringValue(v) => OwnedDatum::Text(v),
        Value::IntValue(v) => OwnedDatum::Int(v),
        Value::DoubleValue(v) => OwnedDatum::Double(v),
        Value::BoolValue(v) => OwnedDatum::Bool(v),
        Value::ArrayValue(items) if items.values.iter().all(|item| item.value.is_some()) => {
            OwnedDatum::List(items.values.into_iter().filter_map(datum).collect())
        }
        other => OwnedDatum::Text(format!("{other:?}")),
    })
}

fn kind(kind: i32) -> Option<SpanKind> {
    let kinds = [SpanKind::Internal, SpanKind::Server, SpanKind::Client, SpanKind::Producer, SpanKind::Consumer];
    kinds.into_iter().find(|known| *known as i32 == kind)
}
