//! How the spans of a run leave, and when each one is due.

use crate::plan::glob;
use crate::plan::{Malform, Plan, ServiceId};
use crate::trace::{NEVER, Trace};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A second in ns.
const SECOND: u64 = 1_000_000_000;

/// How the spans of a run leave. It does not affect what is sent, only when, and so what a stopped run has sent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sending {
    pub unit: Unit,
    /// How much later than others the spans of services leave, in ns, by a glob over the names of services. If several
    /// globs match, the longest time applies.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub late: BTreeMap<String, u64>,
}

/// The spans that leave together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Unit {
    /// A trace leaves when its last span has ended.
    #[default]
    Traces,
    /// A span leaves when it has ended, in the next batch of its service instance. Each instance sends a batch every
    /// `batch_delay` ns, and whenever it has as many spans as a batch can hold.
    Spans { batch_delay: u64 },
}

impl Sending {
    /// The maximum time between the batches of a service instance, in ns.
    pub const MAX_BATCH_DELAY: u64 = 3_600 * SECOND;
    /// The maximum time by which a service's spans can be late, in ns.
    pub const MAX_LATE: u64 = 24 * 3_600 * SECOND;

    /// Reports whether this is the default: nothing is late, and traces leave as a whole.
    pub fn is_default(&self) -> bool {
        *self == Sending::default()
    }

    /// Reports whether each trace of a plan leaves as a whole when its last span has ended.
    pub fn is_by_trace(&self, plan: &Plan) -> bool {
        self.is_default() && lateness(plan) == 0
    }

    /// Reports whether all times are within their bounds, as flags guarantee and a manifest may not.
    pub(super) fn is_sound(&self) -> bool {
        let delay = match self.unit {
            Unit::Traces => true,
            Unit::Spans { batch_delay } => (1..=Sending::MAX_BATCH_DELAY).contains(&batch_delay),
        };
        delay && self.late.values().all(|late| *late <= Sending::MAX_LATE)
    }

    /// Returns by how much the spans of a service are late, in ns.
    pub fn lateness(&self, service: &str) -> u64 {
        let matching = self.late.iter().filter(|(pattern, _)| glob::matches(pattern, service));
        matching.map(|(_, late)| *late).max().unwrap_or(0)
    }

    /// Returns the longest time from the end of a trace of a plan until the last of its spans is due, in ns.
    pub fn longest_lateness(&self, plan: &Plan) -> u64 {
        self.late.values().copied().max().unwrap_or(0) + lateness(plan)
    }

    /// Returns the longest time from the end of a trace of a plan until the last of its spans has left, in ns.
    pub fn longest_wait(&self, plan: &Plan) -> u64 {
        let batch = match self.unit {
            Unit::Traces => 0,
            Unit::Spans { batch_delay } => batch_delay,
        };
        self.longest_lateness(plan) + batch
    }

    /// Returns when the spans of a plan's traces are due.
    pub fn dues(&self, plan: &Plan) -> Dues {
        let mut late = vec![0; plan.resources.len()];
        for service in &plan.services {
            let lateness = self.lateness(plan.text(service.name));
            service.resources().for_each(|resource| late[resource.index()] = lateness);
        }
        Dues { by_trace: self.unit == Unit::Traces, late: late.into() }
    }

    /// Returns the services of a plan that are late, with by how much, in ns.
    pub fn late_services(&self, plan: &Plan) -> impl Iterator<Item = (ServiceId, u64)> {
        let late = plan.services.iter().map(|service| self.lateness(plan.text(service.name)));
        late.enumerate().filter(|(_, late)| *late > 0).map(|(i, late)| (ServiceId(i as u32), late))
    }
}

/// When the spans of a plan's traces are due, which is when they can leave at the earliest.
#[derive(Clone, Debug)]
pub struct Dues {
    /// A span is due when its trace has ended, instead of when it has ended itself.
    by_trace: bool,
    /// By how much later the spans of each resource are due, in ns.
    late: Box<[u64]>,
}

impl Dues {
    /// Returns when span `ordinal` of a trace is due, in ns since 1970, or [`NEVER`] if it is not sent.
    pub fn due(&self, trace: &Trace, ordinal: usize) -> u64 {
        let late = self.late[trace.spans[ordinal].resource.index()];
        match trace.leaves(ordinal) {
            NEVER => NEVER,
            leaves if self.by_trace => leaves.max(trace.end) + late,
            leaves => leaves + late,
        }
    }
}

/// Returns the longest time by which the plan itself makes spans late, in ns.
fn lateness(plan: &Plan) -> u64 {
    let late = plan.malformations.iter().filter_map(|malformation| match malformation.kind {
        Malform::Late { by } => Some(plan.dists[by.index()].max),
        _ => None,
    });
    late.sum()
}
