//! Traces on their way into a batch that leaves when it is full, or shortly after its first trace came.

use crate::export::{Batch, Encode};
use crate::trace::View;

/// The longest a trace that has ended waits for its batch to fill, ns.
const FLUSH_AFTER: u64 = 200_000_000;

pub struct Outbox {
    encoder: Box<dyn Encode>,
    /// When the first trace of the open batch was added, ns since 1970.
    open_since: Option<u64>,
}

impl Outbox {
    pub fn new(encoder: Box<dyn Encode>) -> Outbox {
        Outbox { encoder, open_since: None }
    }

    /// Add a trace at `now`, ns since 1970; the batches that it fills.
    pub fn add(&mut self, view: View<'_>, now: u64) -> Vec<Batch> {
        let mut full = vec![];
        self.encoder.add(view, &mut |batch| full.push(batch));
        if !full.is_empty() {
            self.open_since = None;
        }
        self.open_since.get_or_insert(now);
        full
    }

    /// When what is in the open batch has to leave, ns since 1970; `u64::MAX`: there is nothing.
    pub fn flush_at(&self) -> u64 {
        self.open_since.map_or(u64::MAX, |since| since + FLUSH_AFTER)
    }

    /// Keep the batch open for as long again, from `now` on.
    pub fn put_off(&mut self, now: u64) {
        self.open_since = Some(now);
    }

    /// What is in the open batch.
    pub fn flush(&mut self) -> Vec<Batch> {
        let mut last = vec![];
        self.encoder.flush(&mut |batch| last.push(batch));
        self.open_since = None;
        last
    }

    pub fn recycle(&mut self, body: Vec<u8>) {
        self.encoder.recycle(body);
    }
}
