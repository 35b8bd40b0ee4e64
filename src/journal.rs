//! What makes a run again: its manifest, the eras in it, and the archive that turns an index or an id back into its trace.

mod archive;
mod manifest;

pub use archive::{Archive, Identified};
pub use manifest::{Destination, Era, Manifest, ManifestError, ManifestFile, MergeError, Merged, Totals};

pub(crate) use archive::{only, weighted};

use crate::interpreter::Schedule;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Which traces of a run are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Selection {
    /// Indices below this one.
    pub count: Option<u64>,
    /// Starts before this time, ns since 1970.
    pub before: Option<u64>,
    /// Indices that leave `shard.0` when divided by `shard.1`.
    pub shard: (u64, u64),
}

impl Default for Selection {
    /// All.
    fn default() -> Self {
        Selection { count: None, before: None, shard: (0, 1) }
    }
}

impl Selection {
    /// Returns the start of trace `index`, which `start` computes, if the trace is selected. `count` is not looked at.
    pub fn select(&self, index: u64, start: impl FnOnce() -> u64) -> Option<u64> {
        let (k, n) = self.shard;
        let start = (n == 1 || index % n == k).then(start)?;
        self.before.is_none_or(|before| start < before).then_some(start)
    }
}

/// How far a run came.
pub struct Ending {
    /// When it was stopped or its output closed, ns since 1970: of the traces before `end`, those that had not ended by then
    /// were not sent. `None`: it is complete.
    pub stopped: Option<u64>,
    /// Index after the last trace.
    pub end: u64,
    /// With all epochs.
    pub schedule: Arc<Schedule>,
}
