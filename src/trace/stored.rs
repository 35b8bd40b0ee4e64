//! Traces and spans in the form in which a receiver has them: a store, a file, a backend.

mod view;

use super::OwnedDatum;
use crate::plan::SpanKind;
use std::collections::HashMap;
use std::fmt;

pub type TraceId = [u8; 16];

/// Attributes, in the order in which they were sent if the store keeps it.
pub type Attributes = Vec<(String, OwnedDatum)>;

/// A whole trace.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredTrace {
    pub id: TraceId,
    /// The name of the scenario; `None` if the store does not know it.
    pub scenario: Option<String>,
    /// The spans, a parent before its children, siblings by start. A span whose parent is missing stands among the roots.
    pub spans: Vec<StoredSpan>,
}

/// A span as a receiver has it.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredSpan {
    pub id: u64,
    pub parent: Option<u64>,
    pub name: String,
    pub kind: SpanKind,
    pub service: String,
    pub scope: Scope,
    pub trace_state: String,
    /// The span flags of OTLP; `None` if the store does not keep them.
    pub flags: Option<u32>,
    /// The start in ns since 1970.
    pub start: u64,
    /// The duration in ns; that of a span that ends before its start is 2^64 ns longer.
    pub duration: u64,
    pub status: Status,
    pub resource: Attributes,
    pub attributes: Attributes,
    pub events: Vec<StoredEvent>,
    pub links: Vec<StoredLink>,
}

/// The instrumentation scope of a span; its version may be empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scope {
    pub name: String,
    pub version: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Status {
    Unset,
    Ok,
    /// An error with its message, which may be empty.
    Error(String),
}

#[derive(Clone, Debug, PartialEq)]
pub struct StoredEvent {
    /// The time in ns since 1970.
    pub time: u64,
    pub name: String,
    pub attributes: Attributes,
}

#[derive(Clone, Debug, PartialEq)]
pub struct StoredLink {
    pub trace_id: TraceId,
    pub span_id: u64,
    pub trace_state: String,
    pub attributes: Attributes,
}

/// The error for a trace that takes more than [`StoredTrace::MOST_BYTES`].
#[derive(Debug)]
pub struct TooLarge;

impl std::error::Error for TooLarge {}

impl fmt::Display for TooLarge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let most = StoredTrace::MOST_BYTES >> 20;
        write!(f, "the trace would take more than {most} MiB: it is not shown whole")
    }
}

impl StoredTrace {
    /// The maximum memory that a whole trace takes, in bytes.
    pub const MOST_BYTES: usize = 64 << 20;

    /// Makes a trace of spans in any order.
    pub fn new(id: TraceId, scenario: Option<String>, spans: Vec<StoredSpan>) -> StoredTrace {
        StoredTrace { id, scenario, spans: arrange(spans) }
    }
}

fn arrange(spans: Vec<StoredSpan>) -> Vec<StoredSpan> {
    let order = tree_order(spans.iter().map(|span| (span.id, span.parent, span.start)));
    let mut left: Vec<Option<StoredSpan>> = spans.into_iter().map(Some).collect();
    order.into_iter().filter_map(|at| left[at].take()).collect()
}

/// Returns the order of spans in their trace, given by id, parent and start: each span is followed by its descendants, and
/// siblings are ordered by start. Spans that are each other's parents begin with the earliest.
pub fn tree_order(spans: impl Iterator<Item = (u64, Option<u64>, u64)>) -> Vec<usize> {
    let spans: Vec<_> = spans.collect();
    let at: HashMap<u64, usize> = spans.iter().enumerate().rev().map(|(i, span)| (span.0, i)).collect();
    let mut by_start: Vec<usize> = (0..spans.len()).collect();
    by_start.sort_by_key(|i| spans[*i].2);
    let mut children = vec![vec![]; spans.len()];
    let (mut roots, mut others) = (vec![], vec![]);
    for i in by_start {
        match spans[i].1.and_then(|parent| at.get(&parent)) {
            Some(parent) => {
                children[*parent].push(i);
                others.push(i);
            }
            None => roots.push(i),
        }
    }
    let mut taken = vec![false; spans.len()];
    let mut order = Vec::with_capacity(spans.len());
    for first in roots.into_iter().chain(others) {
        let mut next = vec![first];
        while let Some(i) = next.pop() {
            if !std::mem::replace(&mut taken[i], true) {
                order.push(i);
                next.extend(children[i].drain(..).rev());
            }
        }
    }
    order
}

impl StoredSpan {
    /// Returns a span with nothing in it.
    pub fn empty() -> StoredSpan {
        StoredSpan {
            id: 0,
            parent: None,
            name: String::new(),
            kind: SpanKind::Unspecified,
            service: String::new(),
            scope: Scope::default(),
            trace_state: String::new(),
            flags: None,
            start: 0,
            duration: 0,
            status: Status::Unset,
            resource: vec![],
            attributes: vec![],
            events: vec![],
            links: vec![],
        }
    }

    pub fn failed(&self) -> bool {
        matches!(self.status, Status::Error(_))
    }

    /// Returns the end in ns since 1970; that of a span that ends before its start is its start.
    pub fn end(&self) -> u64 {
        self.start.saturating_add(self.lasts())
    }

    /// Returns the duration in ns as it is shown: 0 if the span ends before its start.
    pub fn lasts(&self) -> u64 {
        if self.duration > i64::MAX as u64 { 0 } else { self.duration }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the ids of spans, given as (id, parent, start), in the order of their trace.
    fn order(spans: &[(u64, u64, u64)]) -> Vec<u64> {
        let span = |(id, parent, start): &(u64, u64, u64)| StoredSpan {
            id: *id,
            parent: (*parent != 0).then_some(*parent),
            start: *start,
            ..StoredSpan::empty()
        };
        StoredTrace::new([0; 16], None, spans.iter().map(span).collect()).spans.iter().map(|s| s.id).collect()
    }

    #[test]
    fn a_parent_stands_before_its_children_and_siblings_by_start() {
        assert_eq!(order(&[(4, 2, 3), (3, 1, 5), (2, 1, 2), (1, 0, 1), (5, 3, 6)]), [1, 2, 4, 3, 5]);
        assert_eq!(order(&[(2, 1, 5), (3, 1, 5), (1, 0, 5)]), [1, 2, 3], "at the same time as they came");
    }

    #[test]
    fn spans_without_their_parent_stand_among_the_roots() {
        assert_eq!(order(&[(1, 0, 5), (2, 9, 4), (3, 2, 6), (4, 9, 7)]), [2, 3, 1, 4]);
    }

    #[test]
    fn no_span_is_lost_whatever_their_parents_are() {
        assert_eq!(order(&[(1, 1, 2), (2, 3, 4), (3, 2, 3), (3, 2, 5)]), [1, 3, 2, 3]);
        let deep: Vec<_> = (1..50_000).map(|id| (id, id - 1, 0)).rev().collect();
        assert_eq!(order(&deep), (1..50_000).collect::<Vec<_>>());
    }
}
