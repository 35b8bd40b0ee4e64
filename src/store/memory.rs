//! A store in memory, bounded in traces and in bytes; the oldest traces are dropped first.
//!
//! The lock is held to add a trace, to take a snapshot or to copy some names, but not while traces are read. The traces of
//! the last hour are counted separately, so that figures cover more than what is kept.

mod kept;
mod pick;
mod rolling;
mod shelf;
mod sieve;
mod source;
mod tally;
mod window;
mod words;

use super::report::{MOST_BACKLINKS, MOST_NAMES, Overview};
use super::{
    Backlink, ScenarioFilter, ServicesReport, Store, StoreError, TimeRange, TraceCounts, TracePage, TraceQuery,
};
use crate::clock::now;
use crate::trace::{Origin, SpanView, StoredTrace, Trace, TraceId};
use kept::Kept;
use parking_lot::RwLock;
use rolling::Rolling;
use shelf::{Shelf, Snapshot};
use sieve::Sieve;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// A store that needs no other service.
pub struct Memory {
    limits: MemoryLimits,
    shelf: RwLock<Shelf>,
    /// The number of traces that were not kept because each is larger than the whole memory.
    too_large: AtomicU64,
    rolling: Rolling,
}

/// The limits of a [`Memory`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryLimits {
    pub traces: usize,
    /// The maximum number of bytes of all traces: of their records and texts, of span names made at run time, and of
    /// indices. What traces share, the plan and the attributes of resources, is not counted.
    pub bytes: u64,
}

impl MemoryLimits {
    /// The default maximum number of bytes.
    pub const BYTES: u64 = 256 << 20;

    /// Makes limits of `traces` traces and [`MemoryLimits::BYTES`] bytes.
    pub fn new(traces: usize) -> MemoryLimits {
        MemoryLimits { traces, bytes: MemoryLimits::BYTES }
    }
}

/// The size of a [`Memory`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemorySize {
    pub traces: u64,
    /// The bytes that the traces take, counted as for [`MemoryLimits::bytes`].
    pub bytes: u64,
    /// The number of traces that were not kept because each is larger than the whole memory.
    pub too_large: u64,
    pub limits: MemoryLimits,
}

impl Memory {
    pub fn new(limits: MemoryLimits) -> Memory {
        Memory { limits, shelf: RwLock::default(), too_large: AtomicU64::new(0), rolling: Rolling::default() }
    }

    pub fn size(&self) -> MemorySize {
        let shelf = self.shelf.read();
        MemorySize {
            traces: shelf.counts().total_traces,
            bytes: shelf.bytes(),
            too_large: self.too_large.load(Ordering::Relaxed),
            limits: self.limits,
        }
    }

    fn get(&self, id: TraceId) -> Option<Arc<Kept>> {
        self.shelf.read().get(id).cloned()
    }

    /// Runs `ask` on a snapshot; in a thread of its own if traces have to be read one by one, which may take long.
    async fn scan<T: Send + 'static>(
        &self,
        query: &TraceQuery,
        ask: impl FnOnce(&Snapshot, &TraceQuery, &Sieve<'_>) -> T + Send + 'static,
    ) -> Result<T, StoreError> {
        let snapshot = self.shelf.read().snapshot();
        let reads_traces = query.operation.is_some() || !query.attributes.is_empty() || query.text.is_some();
        if !reads_traces {
            return Ok(ask(&snapshot, query, &Sieve::new(query, &snapshot)));
        }
        let query = query.clone();
        let scan = tokio::task::spawn_blocking(move || ask(&snapshot, &query, &Sieve::new(&query, &snapshot)));
        scan.await
            .map_err(|error| StoreError::Failed(format!("the search of the traces in memory ended early: {error}")))
    }
}

impl Store for Memory {
    async fn connect(&self) -> Result<(), StoreError> {
        Ok(())
    }

    async fn disconnect(&self) {}

    async fn health_check(&self) -> Result<(), StoreError> {
        Ok(())
    }

    async fn fetch_unique_traces(&self, query: &TraceQuery) -> Result<TracePage, StoreError> {
        self.scan(query, pick::page).await?
    }

    async fn get_trace_counts(&self) -> Result<TraceCounts, StoreError> {
        Ok(self.shelf.read().counts())
    }

    async fn get_service_names(&self) -> Result<Vec<String>, StoreError> {
        let shelf = self.shelf.read();
        let mut names = BTreeSet::new();
        shelf.sources().iter().for_each(|source| source.services(&mut names));
        Ok(names.into_iter().map(String::from).collect())
    }

    async fn get_operation_names(&self, service: Option<&str>) -> Result<Vec<String>, StoreError> {
        let shelf = self.shelf.read();
        let mut names = BTreeSet::new();
        shelf.sources().iter().for_each(|source| source.operations(service, MOST_NAMES, &mut names));
        Ok(names.into_iter().take(MOST_NAMES).map(String::from).collect())
    }

    fn add_trace(&self, origin: &Arc<Origin>, trace: &Trace) -> Result<(), StoreError> {
        if trace.spans.is_empty() {
            return Ok(());
        }
        let linked = |id, span| {
            let kept = self.get(id)?;
            kept.view().spans().find(|other| other.record().id == span).map(|span| span.service().to_string())
        };
        self.rolling.add(origin, trace, linked);
        let bytes = kept::bytes(origin.view(trace));
        if bytes > self.limits.bytes {
            self.too_large.fetch_add(1, Ordering::Relaxed);
            return Ok(());
        }
        let kept = Kept::new(origin, trace, bytes);
        let gone = self.shelf.write().add(self.limits, kept);
        drop(gone);
        Ok(())
    }

    async fn trace(&self, id: TraceId) -> Result<Option<StoredTrace>, StoreError> {
        Ok(self.get(id).map(|kept| StoredTrace::of(kept.view())).transpose()?)
    }

    async fn links_to(&self, id: TraceId) -> Result<Vec<Backlink>, StoreError> {
        let mut linking: Vec<Arc<Kept>> = self.shelf.read().linking(id).cloned().collect();
        // A trace is listed once for each of its links.
        linking.dedup_by(|a, b| Arc::ptr_eq(a, b));
        let mut links: Vec<(SpanView<'_>, u64)> = linking.iter().flat_map(|kept| links(kept, id)).collect();
        links.sort_by_key(|(span, _)| (span.record().start, span.view.trace.id));
        Ok(links.into_iter().take(MOST_BACKLINKS).map(|(span, target)| backlink(span, target)).collect())
    }

    async fn overview(&self, query: &TraceQuery) -> Result<Overview, StoreError> {
        if query.is_plain() {
            return Ok(self.rolling.overview(query.range));
        }
        self.scan(query, pick::overview).await
    }

    async fn services(
        &self,
        range: TimeRange,
        scenario: Option<&ScenarioFilter>,
    ) -> Result<ServicesReport, StoreError> {
        Ok(self.rolling.services(range, scenario.map(|scenario| &*scenario.name), now()))
    }
}

/// Returns the spans that link to spans of trace `id`, with the ids of the latter.
fn links(kept: &Kept, id: TraceId) -> impl Iterator<Item = (SpanView<'_>, u64)> {
    let links = kept.view().spans().flat_map(|span| span.links().map(move |link| (span, link)));
    links.filter(move |(_, link)| link.trace_id == id).map(|(span, link)| (span, link.span_id))
}

fn backlink(span: SpanView<'_>, target_span: u64) -> Backlink {
    Backlink {
        trace_id: span.view.trace.id,
        span_id: span.record().id,
        service: span.service().into(),
        name: span.name().into(),
        start: span.record().start,
        target_span,
    }
}
