//! The policy: what a pipeline is meant to let through, and which faults are permitted.

mod read;
mod rule;
mod sample;

pub use read::PolicyReader;
pub use rule::{Fate, Rule};
pub use sample::Sample;

use super::allowance::Allowance;
use super::change::Changes;
use super::fault::Fault;
use crate::condition::SentTrace;
use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};
use std::collections::BTreeSet;

/// What has to arrive, and which faults are permitted. By default everything arrives as it was sent.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Policy {
    /// The rules for traces. The first one that is for a trace decides what becomes of it; a trace without a rule must
    /// arrive whole.
    pub rules: Vec<Rule>,
    /// The faults and changes that are permitted.
    pub allow: BTreeSet<Allowance>,
    /// Spans that do not belong to the run are a fault.
    pub deny_unexpected: bool,
    /// The changes that the pipeline is meant to make.
    pub changes: Changes,
    /// The unit in which times are compared, in ns; `None` for that of the source.
    pub precision: Option<u64>,
}

impl Policy {
    /// Returns the number of the rule that decides on a trace, or the number of rules if none is for it.
    pub fn rule_for(&self, trace: &SentTrace<'_, impl Fn(usize) -> bool>) -> usize {
        self.rules.iter().position(|rule| rule.is_for(trace)).unwrap_or(self.rules.len())
    }

    /// Returns what becomes of the traces that the rule with a number decides on.
    pub fn fate(&self, rule: usize) -> Fate {
        self.rules.get(rule).map_or(Fate::Keep, |rule| rule.fate)
    }

    /// Reports whether there are traces that need not arrive.
    pub fn samples(&self) -> bool {
        self.rules.iter().any(|rule| matches!(rule.fate, Fate::Sample(_)))
    }

    /// Reports whether there are traces of which no span may arrive.
    pub fn drops(&self) -> bool {
        self.rules.iter().any(|rule| rule.fate == Fate::Drop)
    }

    /// Reports whether there are spans that may not arrive.
    pub fn may_leak(&self) -> bool {
        self.drops() || self.changes.drop_spans()
    }

    /// Reports whether the fault is permitted.
    pub fn allows(&self, fault: Fault) -> bool {
        self.allow.contains(&Allowance::Fault(fault))
    }

    /// Reports whether a field may be altered.
    pub fn allows_change(&self, field: &str) -> bool {
        self.allows(Fault::Altered) || self.allow.iter().any(|allowance| allowance.covers(field))
    }
}

impl Serialize for Policy {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let rules = Vec::from_iter(self.rules.iter().map(Rule::to_string));
        let sample = self.rules.iter().filter(|rule| rule.when.is_none()).find_map(|rule| match rule.fate {
            Fate::Sample(sample) => sample,
            Fate::Drop | Fate::Keep => None,
        });
        let mut fields = to.serialize_struct("Policy", 7)?;
        fields.serialize_field("keep_errors", &self.rules.contains(&Rule::keep_failed()))?;
        fields.serialize_field("sample", &sample)?;
        fields.serialize_field("rules", &rules)?;
        fields.serialize_field("allow", &self.allow)?;
        fields.serialize_field("deny_unexpected", &self.deny_unexpected)?;
        if !self.changes.is_empty() {
            fields.serialize_field("changes", &self.changes)?;
        }
        if let Some(precision) = self.precision {
            fields.serialize_field("precision_ns", &precision)?;
        }
        fields.end()
    }
}

#[cfg(test)]
mod tests;
