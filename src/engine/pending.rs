//! Traces that have begun and not ended, which are kept as (due, index) and generated again when they are due.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// The maximum memory in bytes of the pending traces of all workers.
const BYTES: usize = 64 << 20;

/// The pending traces of a worker.
pub struct Pending {
    heap: BinaryHeap<Reverse<(u64, u64)>>,
    capacity: usize,
    /// The latest end of all traces that were ever added, in ns since 1970.
    pub last_end: u64,
}

impl Pending {
    /// Makes the list of one worker among `workers`.
    pub fn new(workers: usize) -> Pending {
        let capacity = BYTES / size_of::<(u64, u64)>() / workers;
        Pending { heap: BinaryHeap::new(), capacity, last_end: 0 }
    }

    /// Adds a trace that ends at `due`, in ns since 1970.
    pub fn push(&mut self, due: u64, index: u64) {
        self.last_end = self.last_end.max(due);
        self.heap.push(Reverse((due, index)));
    }

    /// Returns the end and the index of the trace that ends next.
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

    /// Reports whether no more traces may begin until one has ended.
    pub fn is_full(&self) -> bool {
        self.heap.len() >= self.capacity
    }
}
