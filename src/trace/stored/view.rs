//! Conversion of the interpreter's traces to the form in which a lossless store returns them.

use super::{Attributes, Scope, Status, StoredEvent, StoredLink, StoredSpan, StoredTrace, TooLarge};
use crate::trace::{Datum, EventView, OwnedDatum, SpanView, View};

impl StoredTrace {
    /// Converts a whole trace. It is measured before it is copied, because a text that the plan has once may be in the
    /// trace many times.
    ///
    /// # Errors
    /// The copy would take more than [`StoredTrace::MOST_BYTES`].
    pub fn of(view: View<'_>) -> Result<StoredTrace, TooLarge> {
        let mut left = StoredTrace::MOST_BYTES;
        for span in view.spans() {
            left = left.checked_sub(span_bytes(span)).ok_or(TooLarge)?;
        }
        Ok(StoredTrace::new(view.trace.id, Some(view.scenario().into()), view.spans().map(StoredSpan::of).collect()))
    }
}

/// Returns the memory that [`StoredSpan::of`] takes, in bytes.
fn span_bytes(span: SpanView<'_>) -> usize {
    let (r#type, message) = span.failure().unwrap_or_default();
    let (scope, version) = span.scope();
    let texts = span.name().len() + span.service().len() + r#type.len() + message.len();
    let texts = texts + scope.len() + version.len() + span.trace_state().len();
    let events = span.events().into_iter();
    let events = events
        .map(|event| size_of::<StoredEvent>() + event.name.len() + attributes_bytes(event.attributes.into_iter()));
    size_of::<StoredSpan>()
        + texts
        + attributes_bytes(span.view.resources.get(span.record().resource))
        + attributes_bytes(span.attributes())
        + events.sum::<usize>()
        + span
            .links()
            .map(|link| {
                size_of::<StoredLink>() + link.trace_state.len() + attributes_bytes(link.attributes.into_iter())
            })
            .sum::<usize>()
}

/// Returns the memory that a copy of attributes takes, in bytes.
fn attributes_bytes<'a>(attributes: impl Iterator<Item = (&'a str, Datum<'a>)>) -> usize {
    attributes.map(|(key, value)| size_of::<(String, OwnedDatum)>() + key.len() + datum_bytes(value)).sum()
}

/// Returns the memory that a copy of a value takes besides its `OwnedDatum`, in bytes.
fn datum_bytes(value: Datum<'_>) -> usize {
    match value {
        Datum::Text(text) => text.len(),
        Datum::Bytes(bytes) => bytes.len(),
        Datum::List(items) => items.iter().map(|item| size_of::<OwnedDatum>() + datum_bytes(item)).sum(),
        Datum::Map(entries) => attributes_bytes(entries.iter()),
        Datum::Int(_) | Datum::Double(_) | Datum::Bool(_) => 0,
    }
}

impl StoredSpan {
    /// Returns the memory that the span takes, in bytes.
    pub fn bytes(&self) -> usize {
        let attributes =
            |list: &Attributes| attributes_bytes(list.iter().map(|(key, value)| (key.as_str(), value.as_datum())));
        let StoredSpan { name, service, scope, trace_state, status, resource, events, links, .. } = self;
        let message = if let Status::Error(message) = status { message.len() } else { 0 };
        let texts = name.len() + service.len() + scope.name.len() + scope.version.len() + trace_state.len() + message;
        let event = |event: &StoredEvent| size_of::<StoredEvent>() + event.name.len() + attributes(&event.attributes);
        let link = |link: &StoredLink| size_of::<StoredLink>() + link.trace_state.len() + attributes(&link.attributes);
        let parts = events.iter().map(event).sum::<usize>() + links.iter().map(link).sum::<usize>();
        size_of::<StoredSpan>() + texts + attributes(resource) + attributes(&self.attributes) + parts
    }

    /// Converts a span to the form in which a lossless store returns it.
    pub fn of(span: SpanView<'_>) -> StoredSpan {
        let record = span.record();
        StoredSpan {
            id: record.id,
            // Receivers take a parent without an id for none.
            parent: span.parent().map(|parent| parent.record().id).filter(|id| *id != 0),
            name: span.name().into(),
            kind: span.kind(),
            service: span.service().into(),
            scope: Scope { name: span.scope().0.into(), version: span.scope().1.into() },
            trace_state: span.trace_state().into(),
            flags: Some(span.flags()),
            start: record.start,
            // A span that ends before its start has the duration that the collector's exporter for ClickHouse gives it.
            duration: record.end.wrapping_sub(record.start),
            status: match span.failure() {
                Some((_, message)) => Status::Error(message.into()),
                None if span.is_ok() => Status::Ok,
                None => Status::Unset,
            },
            resource: owned(span.view.resources.get(record.resource)),
            attributes: owned(span.attributes()),
            events: span.events().into_iter().map(event).collect(),
            links: span
                .links()
                .map(|link| StoredLink {
                    trace_id: link.trace_id,
                    span_id: link.span_id,
                    trace_state: link.trace_state.into(),
                    attributes: owned(link.attributes.into_iter()),
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
