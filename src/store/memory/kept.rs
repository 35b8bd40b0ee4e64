//! A kept trace, and the row that represents it in scans.

use crate::plan::{BlockId, ScenarioId};
use crate::trace::{Bytes, Origin, Trace, TraceId, View};
use std::sync::Arc;

/// The bit in [`Row::services`] for the service with this number and all later ones.
pub const LAST_SERVICE: u32 = 63;

/// A kept trace in the interpreter's own records, which take about 300 B a span.
pub struct Kept {
    pub origin: Arc<Origin>,
    pub trace: Trace,
    /// The number of traces that came before.
    pub arrival: u64,
    /// The trace's [`Source::number`].
    pub source: u32,
    /// The memory of the trace as counted by [`bytes`].
    pub bytes: u64,
}

/// The properties that most conditions are about. Rows are contiguous in memory.
#[derive(Clone)]
pub struct Row {
    pub id: TraceId,
    /// The start of the root in ns since 1970.
    pub start: u64,
    /// The duration of the root in ns.
    pub duration: u64,
    /// The services of the spans, a bit for each; all services from number [`LAST_SERVICE`] on share the last bit.
    pub services: u64,
    /// The trace's [`Source::number`].
    pub source: u32,
    pub scenario: ScenarioId,
    pub failed: bool,
    pub kept: Arc<Kept>,
}

impl Kept {
    /// Makes a copy of a trace that takes no more memory than it needs, without the data for later links. It takes as many
    /// bytes as [`bytes`] returns.
    pub fn new(origin: &Arc<Origin>, trace: &Trace, bytes: u64) -> Kept {
        let mut text = Bytes::with_capacity(trace.text.len());
        text.append(trace.text.as_slice());
        let trace = Trace {
            spans: trace.spans.clone(),
            leaves: trace.leaves.clone(),
            attrs: trace.attrs.clone(),
            events: trace.events.clone(),
            links: trace.links.clone(),
            failures: trace.failures.clone(),
            exports: vec![],
            values: trace.values.clone(),
            text,
            ..*trace
        };
        Kept { origin: origin.clone(), trace, arrival: 0, source: 0, bytes }
    }

    pub fn view(&self) -> View<'_> {
        self.origin.view(&self.trace)
    }
}

/// Returns the memory that a kept trace takes and that is freed with it: its records, its row, its places in the indices,
/// and the names of its spans made at run time, counted as if no other trace had them.
pub fn bytes(view: View<'_>) -> u64 {
    let Trace { spans, leaves, attrs, events, links, failures, exports: _, values, text, .. } = view.trace;
    let records = size_of_val(&spans[..])
        + size_of_val(&leaves[..])
        + size_of_val(&attrs[..])
        + size_of_val(&events[..])
        + size_of_val(&links[..])
        + size_of_val(&failures[..])
        + size_of_val(&values[..]);
    // The counts of an Arc; the ids and Arcs in the map of all traces and, for each link, in the map of links, which are
    // half empty at worst.
    let place = 2 * size_of::<(TraceId, Arc<Kept>)>();
    let whole = size_of::<Kept>() + 2 * size_of::<usize>() + size_of::<Row>() + place;
    let made = view.spans().filter(|span| view.plan.span(span.record().block).name.is_none());
    let names = made.map(|span| span.name().len() + 2 * size_of::<(Box<str>, u64)>()).sum::<usize>();
    (whole + records + Bytes::size(text.len()) + links.len() * 2 * place + names) as u64
}

impl Row {
    pub fn new(kept: &Arc<Kept>) -> Row {
        let Kept { origin, trace, source, .. } = &**kept;
        let root = &trace.spans[0];
        let service = |block: BlockId| origin.plan.span(block).service;
        Row {
            id: trace.id,
            start: root.start,
            duration: root.duration(),
            services: trace.spans.iter().fold(0, |all, span| all | 1 << service(span.block).0.min(LAST_SERVICE)),
            source: *source,
            scenario: trace.scenario,
            failed: !trace.failures.is_empty(),
            kept: kept.clone(),
        }
    }
}
