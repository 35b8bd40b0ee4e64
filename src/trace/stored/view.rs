//! What the interpreter made, as it is stored where nothing of it is lost.

use super::{Status, StoredEvent, StoredLink, StoredSpan, StoredTrace};
use crate::trace::{Datum, EventView, OwnedDatum, SpanView, View};

impl StoredTrace {
    /// A whole trace, as a store gives it back that lost nothing of it.
    pub fn of(view: View<'_>) -> StoredTrace {
        StoredTrace::new(view.trace.id, Some(view.scenario().into()), view.spans().map(StoredSpan::of).collect())
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
