//! The journal of a run: its manifest, the eras in it, and the archive that regenerates a trace from its index or id.

mod archive;
mod manifest;
mod sending;

pub use archive::{Archive, Identified};
pub use manifest::{Destination, Era, Manifest, ManifestError, ManifestFile, MergeError, Merged, Totals};
pub use sending::{Dues, Sending, Unit};

pub(crate) use archive::{only, weighted};

use crate::interpreter::Schedule;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// The traces of a run that are generated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Selection {
    /// Traces with an index below this; `None` for no limit.
    pub count: Option<u64>,
    /// Traces that start before this time, in ns since 1970; `None` for no limit.
    #[serde(rename = "before")]
    pub started_before: Option<u64>,
    /// Traces whose index leaves the remainder `shard.0` when divided by `shard.1`.
    pub shard: (u64, u64),
}

impl Default for Selection {
    /// Selects all traces.
    fn default() -> Self {
        Selection { count: None, started_before: None, shard: (0, 1) }
    }
}

impl Selection {
    /// Returns the start of trace `index`, as computed by `start`, if the trace is selected; `count` is ignored.
    pub fn select(&self, index: u64, start: impl FnOnce() -> u64) -> Option<u64> {
        let (k, n) = self.shard;
        let start = (n == 1 || index % n == k).then(start)?;
        self.started_before.is_none_or(|time| start < time).then_some(start)
    }
}

/// How far a run has come.
pub struct Ending {
    /// The time when the run was stopped or its output was closed, in ns since 1970. Of the traces before `end`, what was not
    /// due by then ([`Dues`]) was not sent. `None` if the run is complete.
    pub stopped: Option<u64>,
    /// The index after the last trace.
    pub end: u64,
    /// The schedule with all epochs.
    pub schedule: Arc<Schedule>,
}
