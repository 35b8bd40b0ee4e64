//! The interface to the outputs of the engine.

use super::Progress;
use crate::export::{Batch, Encode};

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

/// Hands batches to an output, and gives the memory of those that it is done with back to their encoder.
///
/// # Errors
/// The output takes no more.
pub fn hand_over(
    batches: Vec<Batch>,
    output: &dyn Output,
    encoder: &mut dyn Encode,
    progress: &Progress,
) -> Result<(), Closed> {
    for batch in batches {
        progress.handed_over(&batch);
        if let Some(body) = output.send(batch)? {
            encoder.recycle(body);
        }
    }
    Ok(())
}
