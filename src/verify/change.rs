//! Declared changes: what a pipeline is meant to do to spans on their way.
//!
//! A policy lists changes in the order in which the pipeline makes them (`read`). They are made to a span as it was sent
//! (`apply`, `deed`), which then is the span that must arrive. A field that arrives with another value is charged to the last
//! rule that could have set it (`blame`), so that a report says which rule expected what.

mod apply;
mod blame;
mod deed;
mod field;
mod glance;
mod hash;
mod pattern;
mod read;
mod shared;
mod tally;

pub use apply::Turn;
pub use glance::Glance;
pub use read::{read_entry, read_flag};
pub use shared::SharedChanges;
pub use tally::{ChangeTally, Changed};

use crate::condition::{Condition, SpanValue};
use deed::Deed;
use serde::{Serialize, Serializer};
use std::sync::Arc;

/// All declared changes, in the order in which the pipeline makes them. A copy is cheap.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Changes {
    rules: Arc<[Rule]>,
    /// Whether each rule changes resources alone, and those of all spans.
    is_shared: Arc<[bool]>,
}

/// A declared change of the spans for which a condition holds.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    /// The rule as it was written, in one line.
    text: String,
    /// The condition, on the span as it is before this rule; without one, the rule is for all spans.
    when: Option<Condition<SpanValue>>,
    deeds: Vec<Deed>,
}

impl Changes {
    /// Makes the changes that rules declare, in their order.
    pub fn new(rules: Vec<Rule>) -> Changes {
        Changes { is_shared: shared::shared(&rules).into(), rules: rules.into() }
    }

    /// Reports whether no change is declared.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// Returns the number of rules.
    pub fn len(&self) -> usize {
        self.rules.len()
    }

    /// Returns a rule as it was written, by its number.
    pub fn text(&self, rule: usize) -> &str {
        &self.rules[rule].text
    }

    /// Reports whether one of them drops spans.
    pub fn drop_spans(&self) -> bool {
        self.rules.iter().flat_map(|rule| &rule.deeds).any(|deed| matches!(deed, Deed::DropSpan(_)))
    }
}

impl Serialize for Changes {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(self.rules.iter().map(|rule| &rule.text))
    }
}

#[cfg(test)]
mod tests;
