//! The rules for traces with what became of the traces that they decide on.

use super::policy::{Fate, Policy, Sample};
use serde::Serialize;

/// Counts of the traces that a rule decides on.
#[derive(Clone, Copy, Debug, Default)]
pub struct Decided {
    pub traces: u64,
    /// The traces of which all spans have arrived.
    pub whole: u64,
    /// The traces of which some spans have arrived.
    pub partly: u64,
}

/// A rule with what became of its traces.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Judged {
    /// The rule as people read it, such as `keep duration_ms > 800`.
    pub rule: String,
    #[serde(skip)]
    pub fate: Fate,
    /// The number of traces that the rule decides on.
    pub traces: u64,
    /// The traces of which all spans have arrived.
    pub whole: u64,
    /// The traces of which some spans have arrived.
    pub partly: u64,
    /// The traces are as the rule says.
    pub holds: bool,
}

/// The sample among the traces that need not arrive.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Sampled {
    /// The number of traces that need not arrive.
    pub traces: u64,
    /// The number of those that arrived.
    pub arrived: u64,
    /// The expected sample; `None` if any number may arrive, or if there are several samples.
    pub expected: Option<Sample>,
    /// All samples are as expected.
    pub holds: bool,
}

impl Judged {
    /// Returns the number of traces of which a span has arrived.
    pub fn arrived(&self) -> u64 {
        self.whole + self.partly
    }

    /// Returns the sample that should have arrived but did not.
    pub fn missed_sample(&self) -> Option<Sample> {
        let Fate::Sample(Some(sample)) = self.fate else { return None };
        (!sample.holds(self.arrived(), self.traces)).then_some(sample)
    }
}

/// Returns the rules of a policy with the counts of their traces. If there are rules, and traces without one, these are at
/// the end, as if a rule kept them.
pub fn judged(policy: &Policy, counts: &[Decided]) -> Vec<Judged> {
    let rules = policy.rules.iter().map(|rule| (rule.to_string(), rule.fate));
    let others = ("keep all others".to_string(), Fate::Keep);
    let all = rules.chain([others]).zip(counts).map(|((rule, fate), Decided { traces, whole, partly })| {
        let mut judged = Judged { rule, fate, traces: *traces, whole: *whole, partly: *partly, holds: false };
        judged.holds = match fate {
            Fate::Drop => judged.arrived() == 0,
            Fate::Keep => judged.whole == judged.traces,
            Fate::Sample(_) => judged.partly == 0 && judged.missed_sample().is_none(),
        };
        judged
    });
    let mut all = Vec::from_iter(all);
    if policy.rules.is_empty() || all.last().is_some_and(|others| others.traces == 0) {
        all.pop();
    }
    all
}

/// Returns the traces that need not arrive, over all samples; `None` if there is none.
pub fn sampled(rules: &[Judged]) -> Option<Sampled> {
    let samples = Vec::from_iter(rules.iter().filter(|rule| matches!(rule.fate, Fate::Sample(_))));
    let expected = match samples[..] {
        [] => return None,
        [Judged { fate: Fate::Sample(sample), .. }] => *sample,
        _ => None,
    };
    Some(Sampled {
        traces: samples.iter().map(|rule| rule.traces).sum(),
        arrived: samples.iter().map(|rule| rule.arrived()).sum(),
        expected,
        holds: samples.iter().all(|rule| rule.missed_sample().is_none()),
    })
}
