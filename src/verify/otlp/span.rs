//! Conversion of OTLP messages to the form in which spans are compared.

use super::Received;
use crate::plan::SpanKind;
use crate::trace::{self, Attributes, FLAGS_REMOTE, OwnedDatum, Scope, StoredEvent, StoredLink, StoredSpan};
use crate::verify::compare::{ABSENT, Difference};
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value::Value};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::{Event, Link};
use opentelemetry_proto::tonic::trace::v1::{Span, Status};

/// The parts that all spans of one `ScopeSpans` share.
pub struct Shared {
    resource: Attributes,
    service: String,
    scope: Scope,
    unstored: Vec<Difference>,
}

impl Shared {
    /// Makes the shared part. `schemas` holds the schema URLs of the resource and of the scope.
    pub fn new(resource: Resource, scope: InstrumentationScope, schemas: [&str; 2]) -> Shared {
        let mut unstored = Unstored::default();
        unstored.count("resource.dropped_attributes_count", resource.dropped_attributes_count);
        unstored.count("resource.entity_refs", resource.entity_refs.len() as u32);
        unstored.text("resource.schema_url", schemas[0]);
        unstored.count("scope.attributes", scope.attributes.len() as u32);
        unstored.count("scope.dropped_attributes_count", scope.dropped_attributes_count);
        unstored.text("scope.schema_url", schemas[1]);
        let resource = unstored.attributes("resource.", resource.attributes);
        let service =
            resource.iter().find(|(key, _)| key == "service.name").map(|(_, value)| value.as_datum().to_string());
        Shared {
            service: service.unwrap_or_default(),
            resource,
            scope: Scope { name: scope.name, version: scope.version },
            unstored: unstored.0,
        }
    }
}

/// Converts a span, completed by what its group says.
pub fn received(span: Span, shared: &Shared) -> Received {
    let mut unstored = Unstored(shared.unstored.clone());
    unstored.count("dropped_attributes_count", span.dropped_attributes_count);
    unstored.count("dropped_events_count", span.dropped_events_count);
    unstored.count("dropped_links_count", span.dropped_links_count);
    let (start, end) = (span.start_time_unix_nano, span.end_time_unix_nano);
    let status = span.status.unwrap_or_default();
    unstored.status(&status);
    let attributes = unstored.attributes("attributes.", span.attributes);
    let events = span.events.into_iter().map(|event| unstored.event(event)).collect();
    let links = span.links.into_iter().map(|link| unstored.link(link)).collect();
    Received {
        trace: span.trace_id.as_slice().try_into().unwrap_or_default(),
        unstored: unstored.0,
        span: StoredSpan {
            id: span_id(&span.span_id),
            // A parent without an id is none.
            parent: Some(span_id(&span.parent_span_id)).filter(|id| *id != 0),
            name: span.name,
            kind: kind(span.kind),
            service: shared.service.clone(),
            scope: shared.scope.clone(),
            trace_state: span.trace_state,
            flags: Some(span.flags),
            start,
            duration: end.wrapping_sub(start),
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

/// Fields that a span of tracegen leaves at their default, and that are reported where they hold something else.
#[derive(Default)]
struct Unstored(Vec<Difference>);

impl Unstored {
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

    /// Reports a message on a span without an error, and a code that does not exist.
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

    /// Converts attributes. One without a value is reported, because tracegen never sends such an attribute.
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

/// Converts a span id; 0 if it does not have the length of one.
fn span_id(id: &[u8]) -> u64 {
    id.try_into().map_or(0, u64::from_be_bytes)
}

/// Converts a value; `None` if it is unset. Types that tracegen never sends are converted to text.
fn datum(value: AnyValue) -> Option<OwnedDatum> {
    Some(match value.value? {
        Value::StringValue(v) => OwnedDatum::Text(v),
        Value::IntValue(v) => OwnedDatum::Int(v),
        Value::DoubleValue(v) => OwnedDatum::Double(v),
        Value::BoolValue(v) => OwnedDatum::Bool(v),
        Value::ArrayValue(items) if items.values.iter().all(|item| item.value.is_some()) => {
            OwnedDatum::List(items.values.into_iter().filter_map(datum).collect())
        }
        Value::BytesValue(v) => OwnedDatum::Bytes(v),
        Value::KvlistValue(list)
            if list.values.iter().all(|entry| entry.value.as_ref().is_some_and(|v| v.value.is_some())) =>
        {
            let entries = list.values.into_iter();
            OwnedDatum::Map(entries.filter_map(|entry| Some((entry.key, datum(entry.value?)?))).collect())
        }
        other => OwnedDatum::Text(format!("{other:?}")),
    })
}

fn kind(kind: i32) -> SpanKind {
    SpanKind::ALL.into_iter().find(|known| *known as i32 == kind).unwrap_or(SpanKind::Unspecified)
}
