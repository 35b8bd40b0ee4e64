//! A kept trace, and the row that stands for it where traces are scanned.

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
    /// As [`bytes`] counts them.
    pub bytes: u64,
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
    /// A copy of a trace that takes no more than it needs, to be given its place; what later traces could link to is left out.
    /// It takes as many bytes as [`bytes`] says.
    pub fn new(origin: &Arc<Origin>, trace: &Trace, bytes: u64) -> Kept {
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
        Kept { origin: origin.clone(), trace, arrival: 0, source: 0, bytes }
    }

    pub fn view(&self) -> View<'_> {
        self.origin.view(&self.trace)
    }
}

/// Memory that a trace takes when it is kept, and that goes when it goes: its records, its row, its places in the indices, and the
/// names of its spans that were made at run time, which are counted as if no other trace had them.
pub fn bytes(view: View<'_>) -> u64 {
    let Trace { spans, attrs, events, links, failures, exports: _, values, text, .. } = view.trace;
    let records = size_of_val(&spans[..])
        + size_of_val(&attrs[..])
        + size_of_val(&events[..])
        + size_of_val(&links[..])
        + size_of_val(&failures[..])
        + size_of_val(&values[..]);
    // An Arc's counts; ids and Arcs in the map of all and, for each link, in that of links, which are half empty at worst.
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
            duration: root.end - root.start,
            services: trace.spans.iter().fold(0, |all, span| all | 1 << service(span.block).0.min(LAST_SERVICE)),
            source: *source,
            scenario: trace.scenario,
            failed: !trace.failures.is_empty(),
            kept: kept.clone(),
        }
    }
}
