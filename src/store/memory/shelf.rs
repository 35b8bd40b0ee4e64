//! The kept traces, oldest first, and their indices.

use super::MemoryLimits;
use super::kept::{Kept, Row};
use super::source::Source;
use crate::store::{TimeRange, TraceCounts};
use crate::trace::{Origin, TraceId};
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

/// The number of rows in a segment. A snapshot costs a reference count for each segment, and a change to a segment of a
/// snapshot costs a copy of it.
const SEGMENT: usize = 256;

/// The kept traces in the order of their arrival; the oldest is dropped first.
#[derive(Default)]
pub struct Shelf {
    segments: VecDeque<Segment>,
    by_id: HashMap<TraceId, Arc<Kept>>,
    /// The traces that link to each trace, one entry for each link.
    links: HashMap<TraceId, VecDeque<Arc<Kept>>>,
    sources: Vec<Source>,
    /// The number of all traces that ever came.
    arrivals: u64,
    new_sources: u32,
    counts: TraceCounts,
    bytes: u64,
}

/// Consecutive rows, shared with snapshots.
#[derive(Clone)]
pub struct Segment {
    pub rows: Arc<VecDeque<Row>>,
    /// The earliest start of a row.
    first: u64,
    /// The latest start of a row.
    last: u64,
}

impl Segment {
    /// Reports whether a row may start in a range.
    pub fn touches(&self, range: TimeRange) -> bool {
        range.from.is_none_or(|from| from <= self.last) && range.until.is_none_or(|until| self.first < until)
    }

    /// Returns the earliest and the latest start.
    pub fn starts(&self) -> (u64, u64) {
        (self.first, self.last)
    }
}

/// The rows as they were at one moment.
pub struct Snapshot {
    pub segments: Vec<Segment>,
    pub sources: Vec<(u32, Arc<Origin>)>,
    pub total: u64,
}

impl Shelf {
    /// Adds a trace, and drops the oldest ones as far as there is no room. Dropped rows are returned, so that their memory
    /// is freed outside of the lock.
    pub fn add(&mut self, limits: MemoryLimits, mut kept: Kept) -> Vec<Row> {
        let before = self.by_id.get(&kept.trace.id).map(|kept| kept.arrival);
        let mut gone: Vec<Row> = before.and_then(|at| self.take(at)).into_iter().collect();
        let origin = &kept.origin;
        let at = self.sources.iter().rposition(|source| Arc::ptr_eq(&source.origin, origin)).unwrap_or_else(|| {
            self.sources.push(Source::new(self.new_sources, origin));
            self.new_sources += 1;
            self.sources.len() - 1
        });
        (kept.arrival, kept.source) = (self.arrivals, self.sources[at].number);
        let kept = Arc::new(kept);
        self.arrivals += 1;
        self.sources[at].add(kept.view());
        self.push(Row::new(&kept));
        for link in &kept.trace.links {
            self.links.entry(link.trace_id).or_default().push_back(kept.clone());
        }
        self.counts.total_traces += 1;
        self.counts.total_spans += kept.trace.spans.len() as u64;
        self.counts.error_traces += !kept.trace.failures.is_empty() as u64;
        self.bytes += kept.bytes;
        self.by_id.insert(kept.trace.id, kept);
        while self.by_id.len() > limits.traces || self.bytes > limits.bytes {
            let Some(oldest) = self.segments.front().and_then(|segment| segment.rows.front()) else { break };
            gone.extend(self.take(oldest.kept.arrival));
        }
        gone
    }

    fn push(&mut self, row: Row) {
        if self.segments.back().is_none_or(|segment| segment.rows.len() >= SEGMENT) {
            let rows = Arc::new(VecDeque::new());
            self.segments.push_back(Segment { rows, first: row.start, last: row.start });
        }
        let Some(segment) = self.segments.back_mut() else { return };
        segment.first = segment.first.min(row.start);
        segment.last = segment.last.max(row.start);
        Arc::make_mut(&mut segment.rows).push_back(row);
    }

    /// Removes the trace with the number `arrival`.
    fn take(&mut self, arrival: u64) -> Option<Row> {
        let before = |segment: &Segment| segment.rows.back().is_some_and(|row| row.kept.arrival < arrival);
        let at = self.segments.partition_point(before);
        let rows = Arc::make_mut(&mut self.segments.get_mut(at)?.rows);
        let row = rows.binary_search_by_key(&arrival, |row| row.kept.arrival).ok()?;
        let row = rows.remove(row)?;
        if rows.is_empty() {
            self.segments.remove(at);
        }
        let kept = &row.kept;
        self.by_id.remove(&row.id);
        for link in &kept.trace.links {
            if let Some(linking) = self.links.get_mut(&link.trace_id) {
                if let Some(at) = linking.iter().position(|other| Arc::ptr_eq(other, kept)) {
                    linking.remove(at);
                }
                if linking.is_empty() {
                    self.links.remove(&link.trace_id);
                }
            }
        }
        if let Some(at) = self.sources.iter().position(|source| source.number == kept.source) {
            self.sources[at].remove(kept.view());
            if self.sources[at].traces == 0 {
                self.sources.remove(at);
            }
        }
        self.counts.total_traces -= 1;
        self.counts.total_spans -= kept.trace.spans.len() as u64;
        self.counts.error_traces -= row.failed as u64;
        self.bytes -= kept.bytes;
        Some(row)
    }

    pub fn counts(&self) -> TraceCounts {
        self.counts
    }

    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    pub fn get(&self, id: TraceId) -> Option<&Arc<Kept>> {
        self.by_id.get(&id)
    }

    /// Iterates over the traces that link to a trace, each once for each link.
    pub fn linking(&self, id: TraceId) -> impl Iterator<Item = &Arc<Kept>> {
        self.links.get(&id).into_iter().flatten()
    }

    pub fn sources(&self) -> &[Source] {
        &self.sources
    }

    pub fn snapshot(&self) -> Snapshot {
        Snapshot {
            segments: self.segments.iter().cloned().collect(),
            sources: self.sources.iter().map(|source| (source.number, source.origin.clone())).collect(),
            total: self.counts.total_traces,
        }
    }
}
