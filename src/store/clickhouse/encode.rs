//! Rows of `otel_traces` in ClickHouse's RowBinary, made straight from a trace.

use super::schema::COLUMNS;
use super::whole::{id_text, kind_text};
use crate::trace::{Amount, Datum, EventView, LinkView, SpanView, View};
use std::fmt::Write;

/// Rows to be inserted, in RowBinary.
#[derive(Clone, Debug, Default)]
pub struct Rows {
    pub body: Vec<u8>,
    pub spans: u64,
    pub traces: u64,
}

/// Returns the statement that precedes the rows.
pub fn statement() -> String {
    let columns = COLUMNS.map(|(name, _)| format!("`{name}`"));
    format!("INSERT INTO otel_traces ({}) FORMAT RowBinary", columns.join(", "))
}

impl Rows {
    pub fn amount(&self) -> Amount {
        Amount { spans: self.spans, traces: self.traces }
    }

    /// Adds a row for each span of the trace.
    pub fn add(&mut self, view: View<'_>) {
        let trace = id_text(view.trace.id);
        for span in view.spans() {
            self.span(&trace, span);
            self.spans += 1;
        }
        self.traces += 1;
    }

    /// Adds the row of a single span. `last`: it is the last span of its trace, which counts with it.
    pub fn add_span(&mut self, span: SpanView<'_>, last: bool) {
        self.span(&id_text(span.view.trace.id), span);
        self.spans += 1;
        self.traces += last as u64;
    }

    /// Moves the rows of `other` to the end of these; `other` keeps its memory.
    pub fn append(&mut self, other: &mut Rows) {
        self.body.append(&mut other.body);
        self.spans += std::mem::take(&mut other.spans);
        self.traces += std::mem::take(&mut other.traces);
    }

    /// Writes the columns of a span in their order.
    fn span(&mut self, trace: &str, span: SpanView<'_>) {
        let record = span.record();
        let failure = span.failure();
        let (events, links): (Vec<EventView<'_>>, Vec<LinkView<'_>>) = (span.events(), span.links().collect());
        self.fixed(record.start);
        self.text(trace);
        self.text(&format!("{:016x}", record.id));
        self.text(&span.parent().map_or(String::new(), |parent| format!("{:016x}", parent.record().id)));
        self.text(span.trace_state());
        self.text(span.name());
        self.text(kind_text(span.kind()));
        self.text(span.service());
        self.map(span.view.resources.get(record.resource));
        let (scope, version) = span.scope();
        self.text(scope);
        self.text(version);
        self.map(span.attributes());
        // The collector's exporter computes the same for a span that ends before its start.
        self.fixed(record.end.wrapping_sub(record.start));
        self.text(match failure {
            Some(_) => "Error",
            None if span.is_ok() => "Ok",
            None => "Unset",
        });
        self.text(failure.map_or("", |(_, message)| message));
        self.array(&events, |rows, event| rows.fixed(event.time));
        self.array(&events, |rows, event| rows.text(event.name));
        self.array(&events, |rows, event| rows.map(event.attributes.iter().copied()));
        self.array(&links, |rows, link| rows.text(&id_text(link.trace_id)));
        self.array(&links, |rows, link| rows.text(&format!("{:016x}", link.span_id)));
        self.array(&links, |rows, link| rows.text(link.trace_state));
        self.array(&links, |rows, link| rows.map(link.attributes.iter().copied()));
    }

    fn fixed(&mut self, value: u64) {
        self.body.extend_from_slice(&value.to_le_bytes());
    }

    /// Writes a length in LEB128.
    fn length(&mut self, mut value: usize) {
        while value >= 0x80 {
            self.body.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.body.push(value as u8);
    }

    fn text(&mut self, text: &str) {
        self.length(text.len());
        self.body.extend_from_slice(text.as_bytes());
    }

    fn map<'a>(&mut self, pairs: impl Iterator<Item = (&'a str, Datum<'a>)>) {
        let pairs: Vec<_> = pairs.collect();
        let mut scratch = String::new();
        self.array(&pairs, |rows, (key, value)| {
            rows.text(key);
            scratch.clear();
            let _ = write!(scratch, "{value}");
            rows.text(&scratch);
        });
    }

    fn array<T>(&mut self, items: &[T], mut write: impl FnMut(&mut Rows, &T)) {
        self.length(items.len());
        for item in items {
            write(self, item);
        }
    }
}
