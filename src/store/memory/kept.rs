//! A kept trace, and the row that stands for it where traces are scanned.

use super::source::Source;
use crate::plan::{BlockId, ScenarioId};
use crate::trace::{Bytes, Origin, Trace, TraceId, View};
use std::sync::Arc;

/// Bit of [`Row::services`] for the services from this on.
pub const LAST_SERVICE: u32 = 63;

/// The interpreter's own records: about 300 B a span.
pub struct Kept {
    pub origin: Arc<Origin>,
    pub trace: Trace,
    /// How many traces came before.
    pub arrival: u64,
    /// [`Source::number`].
    pub source: u32,
}

/// What most conditions are about. Lies beside others in memory.
#[derive(Clone)]
pub struct Row {
    pub id: TraceId,
    /// Of the root, ns since 1970.
    pub start: u64,
    /// Of the root, ns.
    pub duration: u64,
    /// The services of the spans, a bit each; all from number [`LAST_SERVICE`] on have the last together.
    pub services: u64,
    /// [`Source::number`].
    pub source: u32,
    pub scenario: ScenarioId,
    pub failed: bool,
    pub kept: Arc<Kept>,
}

impl Kept {
    /// A copy of a trace that takes no more than it needs; what later traces could link to is left out.
    pub fn new(origin: &Arc<Origin>, trace: &Trace, source: &Source, arrival: u64) -> Kept {
        let mut text = Bytes::with_capacity(trace.text.len());
        text.append(trace.text.as_slice());
        let trace = Trace {
            spans: trace.spans.clone(),
            attrs: trace.attrs.clone(),
            events: trace.events.clone(),
            links: trace.links.clone(),
            failures: trace.failures.clone(),
            exports: vec![],
            values: trace.values.clone(),
            text,
            ..*trace
        };
        Kept { origin: origin.clone(), trace, arrival, source: source.number }
    }

    pub fn view(&self) -> View<'_> {
        self.origin.view(&self.trace)
    }

    /// Memory that goes when the trace goes: its records, its row, its places in the indices.
    pub fn bytes(&self) -> u64 {
        let Trace { spans, attrs, events, links, failures, exports: _, values, text, .. } = &self.trace;
        let records = size_of_val(&spans[..])
            + size_of_val(&attrs[..])
            + size_of_val(&events[..])
            + size_of_val(&links[..])
            + size_of_val(&failures[..])
            + size_of_val(&values[..]);
        // An Arc's counts; ids and Arcs in the map of all and, for each link, in that of links, which are half empty at worst.
        let place = 2 * size_of::<(TraceId, Arc<Kept>)>();
        let whole = size_of::<Kept>() + 2 * size_of::<usize>() + size_of::<Row>() + place;
        (whole + records + text.padded().len() + links.len() * 2 * place) as u64
    }
}

impl Row {
    pub fn new(kept: &Arc<Kept>) -> Row {
        let Kept { origin, trace, source, .. } = &**kept;
        let root = &trace.spans[0];
        let service = |block: BlockId| origin.plan.span(block).service;
        Row {
            id: trace.id,
            start: root.start,
            duration: root.end - root.start,
            services: trace.spans.iter().fold(0, |all, span| all | 1 << service(span.block).0.min(LAST_SERVICE)),
            source: *source,
            scenario: trace.scenario,
            failed: !trace.failures.is_empty(),
            kept: kept.clone(),
        }
    }
}
