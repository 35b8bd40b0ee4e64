//! Rows of a list of traces.

use super::report::MOST_SHAPE;
use crate::trace::{SpanView, TraceId, View};
use std::cmp::Reverse;

/// A row of a list of traces.
#[derive(Clone, Debug, PartialEq)]
pub struct TraceSummary {
    pub id: TraceId,
    /// The start of the root span in ns since 1970.
    pub start: u64,
    /// The duration of the root span in ns.
    pub duration: u64,
    /// The service of the root span.
    pub service: String,
    /// The name of the root span.
    pub operation: String,
    /// The scenario; `None` if the store does not know it.
    pub scenario: Option<String>,
    pub spans: u32,
    /// The number of spans that failed.
    pub errors: u32,
    /// The failure that happened first; among failures at the same time, that of the span that began last.
    pub first_error: Option<FirstError>,
    /// The first [`MOST_SHAPE`] spans, a parent before its children.
    pub shape: Vec<ShapeSpan>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FirstError {
    pub service: String,
    /// `error.type`, or else the exception's type, or else the status message; may be empty.
    pub r#type: String,
}

/// A span's place in its trace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShapeSpan {
    pub service: String,
    /// The offset from the root's start in ns; 0 if the span starts before it.
    pub offset: u64,
    /// The duration in ns.
    pub duration: u64,
}

impl TraceSummary {
    /// Returns the memory that the row takes, in bytes.
    pub fn bytes(&self) -> usize {
        let names = self.service.len() + self.operation.len() + self.scenario.as_ref().map_or(0, String::len);
        let error = self.first_error.as_ref().map_or(0, |error| error.service.len() + error.r#type.len());
        let shape = self.shape.iter().map(|span| size_of::<ShapeSpan>() + span.service.len());
        size_of::<TraceSummary>() + names + error + shape.sum::<usize>()
    }

    /// Makes the row of a trace.
    pub fn of(view: View<'_>) -> TraceSummary {
        let root = view.span(0);
        let start = root.record().start;
        let failed = || view.spans().filter(|span| span.failure().is_some());
        let happened = |span: &SpanView<'_>| view.trace.failures[span.record().failure as usize].time;
        TraceSummary {
            id: view.trace.id,
            start,
            duration: root.record().duration(),
            service: root.service().into(),
            operation: root.name().into(),
            scenario: Some(view.scenario().into()),
            spans: view.spans().count() as u32,
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
        duration: record.duration(),
    }
}
