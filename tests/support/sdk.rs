//! A bridge to `opentelemetry_sdk`: traces as [`SpanData`], which any SDK `SpanExporter` can take.
//!
//! The SDK has one resource for each exporter (`SpanExporter::set_resource`), so a span comes with the id of its resource,
//! and each resource needs an exporter of its own.

use opentelemetry::trace::{Event, Link, SpanContext, SpanId, SpanKind, Status, TraceFlags, TraceId, TraceState};
use opentelemetry::{Array, InstrumentationScope, KeyValue, StringValue, Value};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{SpanData, SpanEvents, SpanLinks};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tracegen::plan::{ResourceId, SpanKind as Kind};
use tracegen::trace::{Datum, EventView, LinkView, Resources, SpanView, View};

/// Returns every span of the trace with its resource, a parent before its children.
pub fn span_data(view: View<'_>) -> Vec<(ResourceId, SpanData)> {
    view.spans().map(|span| (span.record().resource, data(span))).collect()
}

/// Returns a resource with exactly the attributes of the plan.
pub fn resource(resources: &Resources, id: ResourceId) -> Resource {
    Resource::builder_empty().with_attributes(key_values(resources.get(id))).build()
}

fn data(span: SpanView<'_>) -> SpanData {
    let record = span.record();
    let context = |trace_id, span_id: u64, flags: u32, remote, state: &str| {
        let ids = (TraceId::from_bytes(trace_id), SpanId::from_bytes(span_id.to_be_bytes()));
        // The other flags are OTLP's own and follow from `remote`.
        SpanContext::new(ids.0, ids.1, TraceFlags::new(flags as u8), remote, trace_state(state))
    };
    let event = |event: EventView<'_>| {
        Event::new(event.name.to_string(), time(event.time), key_values(event.attributes.into_iter()), 0)
    };
    let mut events = SpanEvents::default();
    events.events = span.events().into_iter().map(event).collect();
    let mut links = SpanLinks::default();
    let link = |link: LinkView<'_>| {
        let linked = context(link.trace_id, link.span_id, link.flags, is_remote(link.flags), link.trace_state);
        Link::new(linked, key_values(link.attributes.into_iter()), 0)
    };
    links.links = span.links().map(link).collect();
    SpanData {
        span_context: context(span.view.trace.id, record.id, span.flags(), false, span.trace_state()),
        parent_span_id: span.parent().map_or(SpanId::INVALID, |p| SpanId::from_bytes(p.record().id.to_be_bytes())),
        parent_span_is_remote: is_remote(span.flags()),
        span_kind: match span.kind() {
            // The SDK has no other one.
            Kind::Unspecified | Kind::Internal => SpanKind::Internal,
            Kind::Server => SpanKind::Server,
            Kind::Client => SpanKind::Client,
            Kind::Producer => SpanKind::Producer,
            Kind::Consumer => SpanKind::Consumer,
        },
        name: span.name().to_string().into(),
        start_time: time(record.start),
        end_time: time(record.end),
        attributes: key_values(span.attributes()),
        dropped_attributes_count: 0,
        events,
        links,
        status: match span.failure() {
            Some((_, message)) => Status::error(message.to_string()),
            None if span.is_ok() => Status::Ok,
            None => Status::Unset,
        },
        instrumentation_scope: match span.scope() {
            (name, "") => InstrumentationScope::builder(name.to_string()).build(),
            (name, version) => {
                InstrumentationScope::builder(name.to_string()).with_version(version.to_string()).build()
            }
        },
    }
}

fn trace_state(state: &str) -> TraceState {
    let members = state.split(',').filter_map(|member| member.split_once('='));
    TraceState::from_key_value(members).expect("a sound state")
}

/// Tests OTLP's `SPAN_FLAGS_CONTEXT_IS_REMOTE_MASK`.
fn is_remote(flags: u32) -> bool {
    flags & 0x200 != 0
}

fn time(ns: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_nanos(ns)
}

fn key_values<'a>(attributes: impl Iterator<Item = (&'a str, Datum<'a>)>) -> Vec<KeyValue> {
    attributes.map(|(key, datum)| KeyValue::new(key.to_string(), value(datum))).collect()
}

fn value(datum: Datum<'_>) -> Value {
    match datum {
        Datum::Text(v) => Value::String(v.to_string().into()),
        Datum::Int(v) => Value::I64(v),
        Datum::Double(v) => Value::F64(v),
        Datum::Bool(v) => Value::Bool(v),
        // Attributes of the SDK can't have other types.
        Datum::Bytes(_) | Datum::Map(_) => panic!("{datum:?} is no attribute of an SDK"),
        Datum::List(items) => Value::Array(match items.iter().next() {
            Some(Datum::Int(_)) => {
                Array::I64(typed(items.iter(), |v| if let Datum::Int(v) = v { Some(v) } else { None }))
            }
            Some(Datum::Double(_)) => {
                Array::F64(typed(items.iter(), |v| if let Datum::Double(v) = v { Some(v) } else { None }))
            }
            Some(Datum::Bool(_)) => {
                Array::Bool(typed(items.iter(), |v| if let Datum::Bool(v) = v { Some(v) } else { None }))
            }
            _ => Array::String(typed(items.iter(), |v| {
                if let Datum::Text(v) = v { Some(StringValue::from(v.to_string())) } else { None }
            })),
        }),
    }
}

/// Returns the elements of a list, which all have the same type.
fn typed<'a, T>(items: impl Iterator<Item = Datum<'a>>, get: impl Fn(Datum<'a>) -> Option<T>) -> Vec<T> {
    items.filter_map(get).collect()
}
