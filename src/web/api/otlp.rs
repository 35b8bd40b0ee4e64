//! A stored trace as OTLP JSON, as collectors accept it and as their file exporter writes it.

use crate::export::AnyValue;
use crate::trace::{self, Attributes, Status, StoredSpan, StoredTrace};
use crate::web::format;
use serde::{Serialize, Serializer};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Traces<'a> {
    resource_spans: Vec<ResourceSpans<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ResourceSpans<'a> {
    resource: Resource<'a>,
    scope_spans: Vec<ScopeSpans<'a>>,
}

#[derive(Serialize)]
struct Resource<'a> {
    attributes: Vec<KeyValue<'a>>,
}

#[derive(Serialize)]
struct ScopeSpans<'a> {
    scope: Scope<'a>,
    spans: Vec<Span<'a>>,
}

#[derive(Serialize)]
struct Scope<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    version: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Span<'a> {
    trace_id: String,
    span_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    parent_span_id: Option<String>,
    #[serde(skip_serializing_if = "str::is_empty")]
    trace_state: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    flags: Option<u32>,
    name: &'a str,
    kind: u8,
    start_time_unix_nano: String,
    end_time_unix_nano: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    attributes: Vec<KeyValue<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    events: Vec<Event<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    links: Vec<Link<'a>>,
    status: SpanStatus<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Event<'a> {
    time_unix_nano: String,
    name: &'a str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    attributes: Vec<KeyValue<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Link<'a> {
    trace_id: String,
    span_id: String,
    #[serde(skip_serializing_if = "str::is_empty")]
    trace_state: &'a str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    attributes: Vec<KeyValue<'a>>,
}

#[derive(Serialize)]
struct SpanStatus<'a> {
    #[serde(skip_serializing_if = "str::is_empty")]
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<u8>,
}

#[derive(Serialize)]
struct KeyValue<'a> {
    key: &'a str,
    #[serde(serialize_with = "any_value")]
    value: &'a crate::trace::OwnedDatum,
}

fn any_value<S: Serializer>(value: &crate::trace::OwnedDatum, to: S) -> Result<S::Ok, S::Error> {
    AnyValue(value.as_datum()).serialize(to)
}

impl<'a> Traces<'a> {
    /// Converts a trace. The spans of a resource and scope are grouped; groups are in the order of their first spans, and
    /// spans in the trace's order.
    pub fn of(trace: &'a StoredTrace) -> Traces<'a> {
        let mut groups: Vec<(&Attributes, &trace::Scope, Vec<Span>)> = vec![];
        for span in &trace.spans {
            let group =
                groups.iter().position(|(resource, scope, _)| **resource == span.resource && **scope == span.scope);
            let group = group.unwrap_or_else(|| {
                groups.push((&span.resource, &span.scope, vec![]));
                groups.len() - 1
            });
            groups[group].2.push(Span::of(trace, span));
        }
        let resource_spans = groups.into_iter().map(|(resource, scope, spans)| ResourceSpans {
            resource: Resource { attributes: attributes(resource) },
            scope_spans: vec![ScopeSpans { scope: Scope { name: &scope.name, version: &scope.version }, spans }],
        });
        Traces { resource_spans: resource_spans.collect() }
    }
}

impl<'a> Span<'a> {
    fn of(trace: &StoredTrace, span: &'a StoredSpan) -> Span<'a> {
        let events = span.events.iter().map(|event| Event {
            time_unix_nano: super::nanos(event.time),
            name: &event.name,
            attributes: attributes(&event.attributes),
        });
        let links = span.links.iter().map(|link| Link {
            trace_id: format::trace_id(link.trace_id),
            span_id: format::span_id(link.span_id),
            trace_state: &link.trace_state,
            attributes: attributes(&link.attributes),
        });
        let (code, message) = match &span.status {
            Status::Unset => (None, ""),
            Status::Ok => (Some(1), ""),
            Status::Error(message) => (Some(2), message.as_str()),
        };
        Span {
            trace_id: format::trace_id(trace.id),
            span_id: format::span_id(span.id),
            parent_span_id: span.parent.map(format::span_id),
            trace_state: &span.trace_state,
            flags: span.flags,
            name: &span.name,
            kind: span.kind as u8,
            start_time_unix_nano: super::nanos(span.start),
            end_time_unix_nano: super::nanos(span.end()),
            attributes: attributes(&span.attributes),
            events: events.collect(),
            links: links.collect(),
            status: SpanStatus { message, code },
        }
    }
}

fn attributes(attributes: &Attributes) -> Vec<KeyValue<'_>> {
    attributes.iter().map(|(key, value)| KeyValue { key, value }).collect()
}
