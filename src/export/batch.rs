//! The spans that go into one request, grouped by resource and scope. A `ResourceSpans` for each span would cost the receiver
//! twice the CPU time.

use super::layout::Layout;
use super::{BATCH_BYTES, BATCH_SPANS, Batch};
use crate::plan::Plan;
use crate::trace::{Bytes, SpanRecord};

/// The maximum number of bodies that are kept for reuse.
const SPARE: usize = 16;
/// The memory of a body is a multiple of this, in bytes.
const BODY_STEP: usize = 64 << 10;
/// The maximum memory in bytes that is kept from one batch to the next, for all groups together and for each spare body.
const KEEP: usize = 4 * BATCH_BYTES;

/// The encoded constant parts before the spans of the groups.
pub(super) struct Heads {
    /// The head of each resource.
    pub resources: Vec<Vec<u8>>,
    /// The heads of tracegen's scope and of the plan's scopes, in the order of their ids.
    pub scopes: Vec<Vec<u8>>,
    /// The bytes of a head that count as the group's own lengths and brackets.
    pub free: usize,
}

/// The encoded spans of each resource and scope, in the order in which these occurred.
pub(super) struct Groups {
    layout: Layout,
    heads: Heads,
    /// The encoded spans of each group.
    spans: Vec<Bytes>,
    /// The groups that occur in the batch, in the order of their first spans.
    seen: Vec<usize>,
    /// The length of the heads and spans in bytes.
    size: usize,
    batch: Batch,
    spare: Vec<Vec<u8>>,
}

impl Heads {
    /// Returns the resource and the scope of a group.
    fn of(&self, layout: &Layout, group: usize) -> (&[u8], &[u8]) {
        let (resource, scope) = layout.groups()[group];
        (&self.resources[resource.index()], &self.scopes[scope.map_or(0, |scope| 1 + scope.index())])
    }
}

impl Groups {
    pub fn new(plan: &Plan, heads: Heads) -> Groups {
        let layout = Layout::new(plan);
        let spans = vec![Bytes::default(); layout.groups().len()];
        Groups { layout, heads, spans, seen: vec![], size: 0, batch: Batch::default(), spare: vec![] }
    }

    /// Returns the buffer for a span.
    #[inline(always)]
    pub fn group(&mut self, span: &SpanRecord) -> &mut Bytes {
        let group = self.layout.group(span);
        let spans = &mut self.spans[group];
        if spans.is_empty() {
            self.seen.push(group);
            let (resource, scope) = self.heads.of(&self.layout, group);
            self.size += resource.len() + scope.len() - self.heads.free;
        }
        spans
    }

    /// Counts a span of `bytes` bytes, and returns whether the batch is full.
    #[inline(always)]
    pub fn added(&mut self, bytes: usize) -> bool {
        self.size += bytes;
        self.batch.spans += 1;
        self.size >= BATCH_BYTES || self.batch.spans >= BATCH_SPANS as u64
    }

    /// Counts a trace whose last span has been added.
    #[inline(always)]
    pub fn trace_ended(&mut self) {
        self.batch.traces += 1;
    }

    pub fn is_empty(&self) -> bool {
        self.batch.spans == 0
    }

    /// Closes the batch and begins an empty one. `write` appends a group to the body, given its resource, its scope and its spans.
    pub fn close(&mut self, mut write: impl FnMut(&mut Vec<u8>, &[u8], &[u8], &[u8])) -> Batch {
        let mut batch = std::mem::take(&mut self.batch);
        batch.body = self.spare.pop().unwrap_or_default();
        // The lengths and brackets of a group are few bytes. Rounding up lets a reused body fit again: growing it would
        // double it.
        let most = self.size + 32 * (self.seen.len() + 1);
        batch.body.reserve_exact(most.next_multiple_of(BODY_STEP));
        for group in self.seen.drain(..) {
            let spans = &mut self.spans[group];
            let (resource, scope) = self.heads.of(&self.layout, group);
            write(&mut batch.body, resource, scope, spans.as_slice());
            spans.clear();
        }
        self.size = 0;
        if self.spans.iter().map(|spans| spans.padded().len()).sum::<usize>() > KEEP {
            self.spans.fill_with(Bytes::default);
        }
        batch
    }

    pub fn recycle(&mut self, mut body: Vec<u8>) {
        if self.spare.len() < SPARE && body.capacity() <= KEEP {
            body.clear();
            self.spare.push(body);
        }
    }
}
