//! Traces on their way into a batch, which is sent when it is full or shortly after its first trace was added.

use super::Progress;
use super::output::{Closed, Output, hand_over};
use crate::export::{Batch, Encode};
use crate::trace::{SpanView, View};

/// The maximum time that a trace waits for its batch to fill, in ns.
const FLUSH_AFTER: u64 = 200_000_000;

/// An encoder with the time at which its open batch was begun.
pub struct Outbox {
    encoder: Box<dyn Encode>,
    /// The time when the first trace of the open batch was added, in ns since 1970.
    open_since: Option<u64>,
}

impl Outbox {
    pub fn new(encoder: Box<dyn Encode>) -> Outbox {
        Outbox { encoder, open_since: None }
    }

    /// Adds a trace at the time `now`, in ns since 1970, and returns the batches that it fills.
    pub fn add(&mut self, view: View<'_>, now: u64) -> Vec<Batch> {
        self.put(now, |encoder, emit| encoder.add(view, emit))
    }

    /// Adds a span alone, as [`Outbox::add`] adds a trace. `last`: it is the last span of its trace.
    pub fn add_span(&mut self, span: SpanView<'_>, last: bool, now: u64) -> Vec<Batch> {
        self.put(now, |encoder, emit| encoder.add_span(span, last, emit))
    }

    fn put(&mut self, now: u64, add: impl FnOnce(&mut dyn Encode, &mut dyn FnMut(Batch))) -> Vec<Batch> {
        let mut full = vec![];
        add(&mut *self.encoder, &mut |batch| full.push(batch));
        if !full.is_empty() {
            self.open_since = None;
        }
        self.open_since.get_or_insert(now);
        full
    }

    /// Returns the time when the open batch has to be sent, in ns since 1970; `u64::MAX` if it is empty.
    pub fn flush_at(&self) -> u64 {
        self.open_since.map_or(u64::MAX, |since| since + FLUSH_AFTER)
    }

    /// Keeps the batch open for the full waiting time from `now` on.
    pub fn put_off(&mut self, now: u64) {
        self.open_since = Some(now);
    }

    /// Closes the open batch.
    pub fn flush(&mut self) -> Vec<Batch> {
        let mut last = vec![];
        self.encoder.flush(&mut |batch| last.push(batch));
        self.open_since = None;
        last
    }

    /// Hands batches to an output, and takes back the memory of those that it is done with.
    ///
    /// # Errors
    /// The output takes no more.
    pub fn hand_over(&mut self, batches: Vec<Batch>, output: &dyn Output, progress: &Progress) -> Result<(), Closed> {
        hand_over(batches, output, &mut *self.encoder, progress)
    }

    pub fn recycle(&mut self, body: Vec<u8>) {
        self.encoder.recycle(body);
    }
}
