//! The rules for traces.

use super::sample::Sample;
use crate::condition::{Condition, SentTrace, TraceValue};
use std::fmt;

/// A rule for traces.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    pub fate: Fate,
    /// The traces that the rule is for; `None` for all.
    pub when: Option<Condition<TraceValue>>,
}

/// What becomes of traces.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fate {
    /// No span may arrive.
    Drop,
    /// All spans must arrive.
    Keep,
    /// Each trace arrives whole or not at all; such a sample of them does, or any number for `None`.
    Sample(Option<Sample>),
}

impl Rule {
    /// Returns the rule that keeps failed traces.
    pub fn keep_failed() -> Rule {
        Rule { fate: Fate::Keep, when: Some(Condition::failed()) }
    }

    /// Reports whether the rule is for a trace.
    pub fn is_for(&self, trace: &SentTrace<'_, impl Fn(usize) -> bool>) -> bool {
        self.when.as_ref().is_none_or(|when| when.holds(trace))
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.fate, &self.when) {
            (Fate::Drop, Some(when)) => write!(f, "drop {when}"),
            (Fate::Keep, Some(when)) => write!(f, "keep {when}"),
            (Fate::Drop, None) => f.write_str("drop all others"),
            (Fate::Keep, None) => f.write_str("keep all others"),
            (Fate::Sample(sample), when) => {
                match sample {
                    Some(sample) => write!(f, "sample {sample}")?,
                    None => f.write_str("sample any")?,
                }
                when.as_ref().map_or(Ok(()), |when| write!(f, " when {when}"))
            }
        }
    }
}
