//! The reference encoder, which converts traces field by field to the messages of `opentelemetry-proto`.

use crate::plan::ResourceId;
use crate::trace::{Datum, SpanView};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{
    AnyValue, ArrayValue, InstrumentationScope, KeyValue, KeyValueList, any_value::Value,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::{Event, Link};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};

/// Makes a request with these spans.
pub fn request<'a>(spans: impl IntoIterator<Item = SpanView<'a>>) -> ExportTraceServiceRequest {
    let (mut seen, mut groups) = (vec![], Vec::<ResourceSpans>::new());
    for view in spans {
        let id = (view.record().resource, view.scope());
        let at = seen.iter().position(|other| *other == id).unwrap_or_else(|| {
            let resource = Resource { attributes: key_values(view.view.resources.get(id.0)), ..Default::default() };
            let (name, version) = id.1;
            let scope = InstrumentationScope { name: name.into(), version: version.into(), ..Default::default() };
            let scope_spans = vec![ScopeSpans { scope: Some(scope), ..Default::default() }];
            seen.push(id);
            groups.push(ResourceSpans { resource: Some(resource), scope_spans, ..Default::default() });
            groups.len() - 1
        });
        groups[at].scope_spans[0].spans.push(span(view));
    }
    ExportTraceServiceRequest { resource_spans: groups }
}

fn span(view: SpanView<'_>) -> Span {
    let record = view.record();
    Span {
        trace_id: view.view.trace.id.to_vec(),
        span_id: record.id.to_be_bytes().to_vec(),
        parent_span_id: view.parent().map_or(vec![], |parent| parent.record().id.to_be_bytes().to_vec()),
        trace_state: view.trace_state().into(),
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
                trace_state: link.trace_state.into(),
                attributes: key_values(link.attributes.into_iter()),
                ..Default::default()
            })
            .collect(),
        status: match view.failure() {
            Some((_, message)) => Some(Status { message: message.into(), code: 2 }),
            None => view.is_ok().then(|| Status { code: 1, ..Default::default() }),
        },
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
        Datum::Bytes(v) => Value::BytesValue(v.to_vec()),
        Datum::List(items) => Value::ArrayValue(ArrayValue { values: items.iter().map(any_value).collect() }),
        Datum::Map(entries) => Value::KvlistValue(KeyValueList { values: key_values(entries.iter()) }),
    };
    AnyValue { value: Some(value) }
}

mod tests {
    use super::super::fixture::plain_fixtures;
    use super::super::sdk;
    use super::*;
    use opentelemetry_proto::transform::common::tonic::ResourceAttributesWithSchema;
    use opentelemetry_proto::transform::trace::tonic::group_spans_by_resource_and_scope;
    use opentelemetry_sdk::trace::SpanData;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn an_sdk_exporter_sends_what_the_encoder_does(fixture in plain_fixtures()) {
            let mut groups = BTreeMap::<ResourceId, Vec<SpanData>>::new();
            for (id, span) in fixture.views().flat_map(sdk::span_data) {
                groups.entry(id).or_default().push(span);
            }
            for (id, spans) in groups {
                let own = fixture.spans().into_iter().filter(|span| span.record().resource == id);
                let mut expected = request(own).resource_spans;
                // The SDK always sends a status.
                let all = expected.iter_mut().flat_map(|group| &mut group.scope_spans).flat_map(|group| &mut group.spans);
                all.for_each(|span| _ = span.status.get_or_insert(Status::default()));
                let attributes = ResourceAttributesWithSchema::from(&sdk::resource(&fixture.resources, id));
                let sent = group_spans_by_resource_and_scope(spans, &attributes);
                // The SDK has one group for each resource, and its scopes in any order.
                let mut scopes: Vec<_> = expected.iter().flat_map(|group| group.scope_spans.clone()).collect();
                let mut sent_scopes = sent[0].scope_spans.clone();
                let by_scope = |group: &ScopeSpans| group.scope.as_ref().map(|s| (s.name.clone(), s.version.clone()));
                scopes.sort_by_key(by_scope);
                sent_scopes.sort_by_key(by_scope);
                prop_assert_eq!(sent_scopes, scopes);
                // The SDK keeps neither the order of a resource's attributes nor two with the same key.
                let keys = |spans: &opentelemetry_proto::tonic::trace::v1::ResourceSpans| {
                    let keys = spans.resource.iter().flat_map(|r| r.attributes.iter().map(|a| a.key.clone()));
                    keys.collect::<std::collections::BTreeSet<_>>()
                };
                prop_assert_eq!(keys(&sent[0]), keys(&expected[0]));
            }
        }
    }
}
