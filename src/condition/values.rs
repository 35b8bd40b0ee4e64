//! The values that traces, spans and events have for conditions.

use super::subject::{SentTrace, Span};
use super::term::{Term, Value};
use crate::plan::Number;
use crate::trace::StoredEvent;

/// A value of a trace.
#[derive(Debug)]
pub enum TraceValue {
    /// Whether any span failed.
    Failed,
    /// The time from the first start to the last end of its spans, in ms.
    DurationMs,
    /// The number of spans.
    Spans,
    /// The name of the scenario.
    Scenario,
    /// A value of the root span.
    Root(SpanValue),
    /// Whether a condition holds for any span.
    Any(Box<Term<SpanValue>>),
    /// Whether a condition holds for all spans.
    All(Box<Term<SpanValue>>),
    /// The number of spans for which a condition holds.
    Count(Box<Term<SpanValue>>),
}

/// A value of a span.
#[derive(Clone, Debug)]
pub enum SpanValue {
    Name,
    Kind,
    Service,
    /// `unset`, `ok` or `error`.
    Status,
    Failed,
    /// The duration in ms.
    DurationMs,
    /// Whether the span has no parent.
    IsRoot,
    ScopeName,
    ScopeVersion,
    Attribute(String),
    Resource(String),
}

/// A value of an event.
#[derive(Debug)]
pub enum EventValue {
    Name,
    Attribute(String),
}

fn milliseconds<'a>(ns: u64) -> Value<'a> {
    Value::Number(Number::Double(ns as f64 / 1e6))
}

impl TraceValue {
    /// Returns the value of a trace.
    pub(super) fn of<'a>(&'a self, trace: &'a SentTrace<'_, impl Fn(usize) -> bool>) -> Value<'a> {
        let count = |n: usize| Value::Number(Number::Int(n as i64));
        match self {
            TraceValue::Failed => Value::Bool(trace.failed()),
            TraceValue::DurationMs => milliseconds(trace.duration()),
            TraceValue::Spans => count(trace.spans().count()),
            TraceValue::Scenario => Value::text(trace.scenario()),
            TraceValue::Root(value) => trace.root().map_or(Value::Absent, |root| value.of(root)),
            TraceValue::Any(operand) => Value::Bool(trace.spans().any(|span| operand.holds(&|value| value.of(&span)))),
            TraceValue::All(operand) => Value::Bool(trace.spans().all(|span| operand.holds(&|value| value.of(&span)))),
            TraceValue::Count(operand) => {
                count(trace.spans().filter(|span| operand.holds(&|value| value.of(span))).count())
            }
        }
    }
}

impl SpanValue {
    /// Returns the value of a span.
    pub(super) fn of<'a>(&'a self, span: &'a impl Span) -> Value<'a> {
        match self {
            SpanValue::Name => Value::text(span.name()),
            SpanValue::Kind => Value::text(span.kind().name()),
            SpanValue::Service => Value::text(span.service()),
            SpanValue::Status => Value::text(span.status()),
            SpanValue::Failed => Value::Bool(span.status() == "error"),
            SpanValue::DurationMs => milliseconds(span.duration()),
            SpanValue::IsRoot => Value::Bool(span.is_root()),
            SpanValue::ScopeName => Value::text(span.scope().0),
            SpanValue::ScopeVersion => Value::text(span.scope().1),
            SpanValue::Attribute(key) => Value::of(span.attribute(key)),
            SpanValue::Resource(key) => Value::of(span.resource(key)),
        }
    }
}

impl EventValue {
    /// Returns the value of an event.
    pub(super) fn of<'a>(&'a self, event: &'a StoredEvent) -> Value<'a> {
        match self {
            EventValue::Name => Value::text(&event.name),
            EventValue::Attribute(key) => {
                let found = event.attributes.iter().find(|(other, _)| other == key);
                Value::of(found.map(|(_, value)| value.as_datum()))
            }
        }
    }
}
