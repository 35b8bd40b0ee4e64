//! Where batches go.

use crate::export::Batch;

/// The output takes no more: its account says why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Closed;

/// Takes batches from several threads.
pub trait Output: Sync {
    /// Take a batch; blocks while there is no room. Gives memory back to be used again, if there is some.
    fn send(&self, batch: Batch) -> Result<Option<Vec<u8>>, Closed>;
}
