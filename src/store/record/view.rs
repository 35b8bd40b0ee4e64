//! Records of what the interpreter made.

use super::{FirstError, ShapeSpan, Status, StoredEvent, StoredLink, StoredSpan, StoredTrace, TraceSummary};
use crate::store::report::MOST_SHAPE;
use crate::trace::{Datum, EventView, OwnedDatum, SpanView, View};
use std::cmp::Reverse;

impl StoredTrace {
    /// A whole trace, as a store gives it back that lost nothing of it.
    pub fn of(view: View<'_>) -> StoredTrace {
        StoredTrace::new(view.trace.id, Some(view.scenario().into()), view.spans().map(StoredSpan::of).collect())
    }
}

impl TraceSummary {
    /// The row of a trace.
    pub fn of(view: View<'_>) -> TraceSummary {
        let root = view.span(0);
        let start = root.record().start;
        let failed = || view.spans().filter(|span| span.failure().is_some());
        let happened = |span: &SpanView<'_>| view.trace.failures[span.record().failure as usize].time;
        TraceSummary {
            id: view.trace.id,
            start,
            duration: root.record().end - start,
            service: root.service().into(),
            operation: root.name().into(),
            scenario: Some(view.scenario().into()),
            spans: view.trace.spans.len() as u32,
            errors: failed().count() as u32,
            first_error: failed().min_by_key(|span| (happened(span), Reverse(span.ordinal))).map(|span| FirstError {
                service: span.service().into(),
                r#type: span.failure().map(|(r#type, _)| r#type.to_string()).unwrap_or_default(),
            }),
            shape: view.spans().take(MOST_SHAPE).map(|span| shape(span, start)).collect(),
        }
    }
}

fn shape(span: SpanView<'_>, start: u64) -> ShapeSpan {
    let record = span.record();
    ShapeSpan {
        service: span.service().into(),
        offset: record.start.saturating_sub(start),
        duration: record.end - record.start,
    }
}

impl StoredSpan {
    /// A span, as a store gives it back that lost nothing of it.
    pub fn of(span: SpanView<'_>) -> StoredSpan {
        let record = span.record();
        StoredSpan {
            id: record.id,
            parent: span.parent().map(|parent| parent.record().id),
            name: span.name().into(),
            kind: Some(span.kind()),
            service: span.service().into(),
            scope: "tracegen".into(),
            trace_state: String::new(),
            flags: Some(span.flags()),
            start: record.start,
            duration: record.end - record.start,
            status: span.failure().map_or(Status::Unset, |(_, message)| Status::Error(message.into())),
            resource: owned(span.view.resources.get(record.resource)),
            attributes: owned(span.attributes()),
            events: span.events().into_iter().map(event).collect(),
            links: span
                .links()
                .map(|link| StoredLink {
                    trace_id: link.trace_id,
                    span_id: link.span_id,
                    trace_state: String::new(),
                    attributes: vec![],
                })
                .collect(),
        }
    }
}

fn event(event: EventView<'_>) -> StoredEvent {
    StoredEvent { time: event.time, name: event.name.into(), attributes: owned(event.attributes.into_iter()) }
}

fn owned<'a>(attributes: impl Iterator<Item = (&'a str, Datum<'a>)>) -> Vec<(String, OwnedDatum)> {
    attributes.map(|(key, value)| (key.to_string(), value.to_owned())).collect()
}
