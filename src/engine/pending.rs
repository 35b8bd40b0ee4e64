//! Traces that have begun and not ended, kept as (due, index) and made again when due.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Most bytes that they may take, over all workers.
const BYTES: usize = 64 << 20;

pub struct Pending {
    heap: BinaryHeap<Reverse<(u64, u64)>>,
    most: usize,
    /// The latest end of any that was ever added, ns since 1970.
    pub last_end: u64,
}

impl Pending {
    /// Of one of so many workers.
    pub fn new(workers: usize) -> Pending {
        let most = BYTES / size_of::<(u64, u64)>() / workers;
        Pending { heap: BinaryHeap::new(), most, last_end: 0 }
    }

    /// `due`: when the trace ends, ns since 1970.
    pub fn push(&mut self, due: u64, index: u64) {
        self.last_end = self.last_end.max(due);
        self.heap.push(Reverse((due, index)));
    }

    /// The next to end: when, and its index.
    pub fn first(&self) -> Option<(u64, u64)> {
        self.heap.peek().map(|first| first.0)
    }

    pub fn pop(&mut self) -> Option<(u64, u64)> {
        self.heap.pop().map(|first| first.0)
    }

    pub fn clear(&mut self) {
        self.heap.clear();
    }

    pub fn len(&self) -> u64 {
        self.heap.len() as u64
    }

    pub fn is_empty(&self) -> bool {
        self.heap.is_empty()
    }

    /// No more may begin until one has ended.
    pub fn is_full(&self) -> bool {
        self.heap.len() >= self.most
    }
}
