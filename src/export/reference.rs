//! The reference encoder: traces to `opentelemetry-proto`'s messages, field by field, the long way.

use crate::plan::ResourceId;
use crate::trace::{Datum, SpanView};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, InstrumentationScope, KeyValue, any_value::Value};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::{Event, Link};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};

/// One request of these spans.
pub fn request<'a>(spans: impl IntoIterator<Item = SpanView<'a>>) -> ExportTraceServiceRequest {
    let mut groups: Vec<(ResourceId, ResourceSpans)> = vec![];
    for view in spans {
        let id = view.record().resource;
        let at = groups.iter().position(|(seen, _)| *seen == id).unwrap_or_else(|| {
            let resource = Resource { attributes: key_values(view.view.resources.get(id)), ..Default::default() };
            let scope = InstrumentationScope { name: "tracegen".into(), ..Default::default() };
            let scope_spans = vec![ScopeSpans { scope: Some(scope), ..Default::default() }];
            groups.push((id, ResourceSpans { resource: Some(resource), scope_spans, ..Default::default() }));
            groups.len() - 1
        });
        groups[at].1.scope_spans[0].spans.push(span(view));
    }
    ExportTraceServiceRequest { resource_spans: groups.into_iter().map(|(_, group)| group).collect() }
}

fn span(view: SpanView<'_>) -> Span {
    let record = view.record();
    Span {
        trace_id: view.view.trace.id.to_vec(),
        span_id: record.id.to_be_bytes().to_vec(),
        parent_span_id: view.parent().map_or(vec![], |parent| parent.record().id.to_be_bytes().to_vec()),
        flags: view.flags(),
        name: view.name().into(),
        kind: view.kind() as i32,
        start_time_unix_nano: record.start,
        end_time_unix_nano: record.end,
        attributes: key_values(view.attributes()),
        events: view
            .events()
            .into_iter()
            .map(|event| Event {
                time_unix_nano: event.time,
                name: event.name.into(),
                attributes: key_values(event.attributes.into_iter()),
                dropped_attributes_count: 0,
            })
            .collect(),
        links: view
            .links()
            .map(|link| Link {
                trace_id: link.trace_id.to_vec(),
                span_id: link.span_id.to_be_bytes().to_vec(),
                flags: link.flags,
                ..Default::default()
            })
            .collect(),
        status: view.failure().map(|(_, message)| Status { message: message.into(), code: 2 }),
        ..Default::default()
    }
}

fn key_values<'a>(attributes: impl Iterator<Item = (&'a str, Datum<'a>)>) -> Vec<KeyValue> {
    attributes
        .map(|(key, datum)| KeyValue { key: key.into(), value: Some(any_value(datum)), ..Default::default() })
        .collect()
}

fn any_value(datum: Datum<'_>) -> AnyValue {
    let value = match datum {
        Datum::Text(v) => Value::StringValue(v.into()),
        Datum::Int(v) => Value::IntValue(v),
        Datum::Double(v) => Value::DoubleValue(v),
        Datum::Bool(v) => Value::BoolValue(v),
        Datum::List(items) => Value::ArrayValue(ArrayValue { values: items.iter().map(any_value).collect() }),
    };
    AnyValue { value: Some(value) }
}
