//! Rows of a list of traces.

use super::report::MOST_SHAPE;
use crate::trace::{SpanView, TraceId, View};
use std::cmp::Reverse;

/// A row of a list.
#[derive(Clone, Debug, PartialEq)]
pub struct TraceSummary {
    pub id: TraceId,
    /// Start of the root span, ns since 1970.
    pub start: u64,
    /// Of the root span, ns.
    pub duration: u64,
    /// Of the root span.
    pub service: String,
    pub operation: String,
    /// `None`: the store does not know.
    pub scenario: Option<String>,
    pub spans: u32,
    /// Spans that failed.
    pub errors: u32,
    /// The failure that happened first; of those at the same time, that of the span that began last.
    pub first_error: Option<FirstError>,
    /// The first [`MOST_SHAPE`] spans, a parent before its children.
    pub shape: Vec<ShapeSpan>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FirstError {
    pub service: String,
    /// `error.type`, else the exception's type, else the status message; may be empty.
    pub r#type: String,
}

/// Where a span lies in its trace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShapeSpan {
    pub service: String,
    /// ns after the root's start; 0 where it lies before.
    pub offset: u64,
    /// ns.
    pub duration: u64,
}

impl TraceSummary {
    /// Memory that it takes, bytes.
    pub fn bytes(&self) -> usize {
        let names = self.service.len() + self.operation.len() + self.scenario.as_ref().map_or(0, String::len);
        let error = self.first_error.as_ref().map_or(0, |error| error.service.len() + error.r#type.len());
        let shape = self.shape.iter().map(|span| size_of::<ShapeSpan>() + span.service.len());
        size_of::<TraceSummary>() + names + error + shape.sum::<usize>()
    }

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
