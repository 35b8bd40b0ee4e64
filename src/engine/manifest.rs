//! What it takes to make the traces of a run again.

use crate::interpreter::Epoch;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The journal of a run: seed, plans, and from which trace on which of them and which arrivals hold.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Version of tracegen that wrote it.
    pub tracegen: String,
    pub seed: u64,
    /// Of the trace ids, in hexadecimal.
    pub tag: String,
    pub eras: Vec<Era>,
    /// Plan files, by digest.
    pub plans: BTreeMap<String, serde_json::Value>,
}

/// An epoch of the schedule, and the plan that holds in it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Era {
    pub epoch: Epoch,
    /// Digest of its plan.
    pub plan: String,
    /// Index after its last trace; `None`: it goes on.
    pub end: Option<u64>,
    /// When it was stopped, ns since 1970: traces that had not ended by then were not sent.
    pub stopped: Option<u64>,
}
