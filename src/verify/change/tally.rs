//! The counts of each declared change.

use super::{Changes, Turn};
use crate::verify::compare::Difference;
use serde::Serialize;

/// The counts of a declared change. Spans count once, however often they arrive.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ChangeTally {
    /// The change as the policy says it.
    pub rule: String,
    /// The spans that it was meant to change, of those that arrived; or the spans that it was meant to drop.
    pub spans: u64,
    /// The spans that arrived in another way than it says, whether it is for them or not; for a change that drops spans, those
    /// that arrived.
    pub wrong: u64,
}

/// The counts of all declared changes.
#[derive(Default)]
pub struct Changed {
    tallies: Vec<ChangeTally>,
}

impl Changed {
    pub fn new(changes: &Changes) -> Changed {
        let tally = |rule| ChangeTally { rule: changes.text(rule).into(), ..ChangeTally::default() };
        Changed { tallies: (0..changes.len()).map(tally).collect() }
    }

    /// Counts a span that has arrived, given what the changes did to it.
    pub fn arrived(&mut self, turns: &[Turn]) {
        for (tally, turn) in self.tallies.iter_mut().zip(turns) {
            tally.spans += (*turn == Turn::Done) as u64;
        }
    }

    /// Counts spans that are dropped, given the numbers of the rules that drop them.
    pub fn dropped(&mut self, rules: impl Iterator<Item = usize>) {
        rules.for_each(|rule| self.tallies[rule].spans += 1);
    }

    /// Counts a span that has arrived although a rule drops it.
    pub fn leaked(&mut self, rule: usize) {
        self.tallies[rule].wrong += 1;
    }

    /// Counts a span that has differences.
    pub fn spoilt<'d>(&mut self, differences: impl Iterator<Item = &'d Difference>) {
        let mut rules = Vec::from_iter(differences.filter_map(|difference| difference.blame).map(|blame| blame.rule));
        rules.sort_unstable();
        rules.dedup();
        rules.into_iter().for_each(|rule| self.tallies[rule].wrong += 1);
    }

    pub fn into_tallies(self) -> Vec<ChangeTally> {
        self.tallies
    }
}
