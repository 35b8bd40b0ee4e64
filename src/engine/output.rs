//! The interface to the outputs of the engine.

use crate::export::Batch;

/// The error of an output that takes no more; its account says why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Closed;

/// An output, which takes batches from several threads.
pub trait Output: Sync {
    /// Takes a batch, and blocks while there is no room. Returns the memory of an earlier batch for reuse, if there is any.
    ///
    /// # Errors
    /// The output takes no more.
    fn send(&self, batch: Batch) -> Result<Option<Vec<u8>>, Closed>;
}
