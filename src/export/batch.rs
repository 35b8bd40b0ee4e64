//! Spans on their way into one request, grouped by resource: a `ResourceSpans` a span would cost the receiver twice the CPU.

use super::{BATCH_BYTES, BATCH_SPANS, Batch};
use crate::plan::ResourceId;
use crate::trace::Bytes;

/// Bodies kept for reuse, at most.
const SPARE: usize = 16;
/// What the memory of a body is a multiple of, in bytes.
const BODY_STEP: usize = 64 << 10;
/// Memory kept from one batch to the next, in bytes, of all groups together and of one spare body.
const KEEP: usize = 4 * BATCH_BYTES;

/// The spans of each resource, encoded, in the order in which the resources were first seen.
pub(super) struct Groups {
    /// By resource: what stands before its spans and does not depend on them.
    heads: Vec<Vec<u8>>,
    /// By resource.
    spans: Vec<Bytes>,
    seen: Vec<ResourceId>,
    /// Heads and spans, in bytes.
    size: usize,
    batch: Batch,
    spare: Vec<Vec<u8>>,
}

impl Groups {
    pub fn new(heads: Vec<Vec<u8>>) -> Groups {
        let spans = vec![Bytes::default(); heads.len()];
        Groups { heads, spans, seen: vec![], size: 0, batch: Batch::default(), spare: vec![] }
    }

    /// Where the next span of `resource` goes.
    #[inline(always)]
    pub fn group(&mut self, resource: ResourceId) -> &mut Bytes {
        let spans = &mut self.spans[resource.index()];
        if spans.is_empty() {
            self.seen.push(resource);
            self.size += self.heads[resource.index()].len();
        }
        spans
    }

    /// A span of `bytes` bytes was added. `true`: the batch is full.
    #[inline(always)]
    pub fn added(&mut self, bytes: usize) -> bool {
        self.size += bytes;
        self.batch.spans += 1;
        self.size >= BATCH_BYTES || self.batch.spans >= BATCH_SPANS as u64
    }

    /// The trace's last span was added.
    #[inline(always)]
    pub fn trace_ended(&mut self) {
        self.batch.traces += 1;
    }

    pub fn is_empty(&self) -> bool {
        self.batch.spans == 0
    }

    /// The batch, and an empty one begun. `write` appends to the body one group: its head and its spans.
    pub fn close(&mut self, mut write: impl FnMut(&mut Vec<u8>, &[u8], &[u8])) -> Batch {
        let mut batch = std::mem::take(&mut self.batch);
        batch.body = self.spare.pop().unwrap_or_default();
        // A group's own lengths and brackets are few bytes. Rounded up, so that a body fits again and never grows, which would
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
