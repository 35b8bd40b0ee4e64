//! The spans that go into one request, grouped by resource. A `ResourceSpans` for each span would cost the receiver twice
//! the CPU time.

use super::{BATCH_BYTES, BATCH_SPANS, Batch};
use crate::plan::ResourceId;
use crate::trace::Bytes;

/// The maximum number of bodies that are kept for reuse.
const SPARE: usize = 16;
/// The memory of a body is a multiple of this, in bytes.
const BODY_STEP: usize = 64 << 10;
/// The maximum memory in bytes that is kept from one batch to the next, for all groups together and for each spare body.
const KEEP: usize = 4 * BATCH_BYTES;

/// The encoded spans of each resource, in the order in which the resources occurred.
pub(super) struct Groups {
    /// The constant bytes before the spans of each resource.
    heads: Vec<Vec<u8>>,
    /// The encoded spans of each resource.
    spans: Vec<Bytes>,
    /// The resources that occur in the batch, in the order of their first spans.
    seen: Vec<ResourceId>,
    /// The length of the heads and spans in bytes.
    size: usize,
    batch: Batch,
    spare: Vec<Vec<u8>>,
}

impl Groups {
    pub fn new(heads: Vec<Vec<u8>>) -> Groups {
        let spans = vec![Bytes::default(); heads.len()];
        Groups { heads, spans, seen: vec![], size: 0, batch: Batch::default(), spare: vec![] }
    }

    /// Returns the buffer for the next span of `resource`.
    #[inline(always)]
    pub fn group(&mut self, resource: ResourceId) -> &mut Bytes {
        let spans = &mut self.spans[resource.index()];
        if spans.is_empty() {
            self.seen.push(resource);
            self.size += self.heads[resource.index()].len();
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

    /// Closes the batch and begins an empty one. `write` appends a group to the body, given its head and its spans.
    pub fn close(&mut self, mut write: impl FnMut(&mut Vec<u8>, &[u8], &[u8])) -> Batch {
        let mut batch = std::mem::take(&mut self.batch);
        batch.body = self.spare.pop().unwrap_or_default();
        // The lengths and brackets of a group are few bytes. Rounding up lets a reused body fit again: growing it would
        // double it.
        let most = self.size + 32 * (self.seen.len() + 1);
        batch.body.reserve_exact(most.next_multiple_of(BODY_STEP));
        for resource in self.seen.drain(..) {
            let spans = &mut self.spans[resource.index()];
            write(&mut batch.body, &self.heads[resource.index()], spans.as_slice());
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
