//! Counts by scenario and by service.

use crate::plan::{Plan, ScenarioId};
use serde::Serialize;
use std::collections::BTreeMap;
use std::iter::Sum;
use std::ops::AddAssign;
use std::sync::Arc;

/// Counts of spans. `expected` is the sum of `delivered`, `lost` and `sampled_out`; duplicated, altered, leaked and
/// orphaned spans are among the delivered ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Tally {
    pub expected: u64,
    pub delivered: u64,
    pub lost: u64,
    /// Spans delivered more than once.
    pub duplicated: u64,
    /// Spans with a changed field.
    pub altered: u64,
    /// Delivered spans that the policy says are dropped.
    pub leaked: u64,
    /// Delivered spans whose parent is lost.
    pub orphaned: u64,
    /// Spans that were not delivered, which the policy permits or demands.
    pub sampled_out: u64,
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Tally) {
        let Tally { expected, delivered, lost, duplicated, altered, leaked, orphaned, sampled_out } = other;
        self.expected += expected;
        self.delivered += delivered;
        self.lost += lost;
        self.duplicated += duplicated;
        self.altered += altered;
        self.leaked += leaked;
        self.orphaned += orphaned;
        self.sampled_out += sampled_out;
    }
}

impl Sum for Tally {
    fn sum<I: Iterator<Item = Tally>>(tallies: I) -> Tally {
        tallies.fold(Tally::default(), |mut sum, tally| {
            sum += tally;
            sum
        })
    }
}

/// Counts of one scenario.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct ScenarioTally {
    #[serde(flatten)]
    pub spans: Tally,
    /// Traces of which a span has arrived.
    pub traces: u64,
    /// Traces of which a failed span has arrived.
    pub failed: u64,
    /// The probability that a trace fails, from the plan; `None` if it is not known exactly.
    pub failing: Option<f64>,
}

impl AddAssign for ScenarioTally {
    fn add_assign(&mut self, other: ScenarioTally) {
        self.spans += other.spans;
        self.traces += other.traces;
        self.failed += other.failed;
    }
}

/// Counts by the ids of one plan.
pub struct Tallies {
    plan: Arc<Plan>,
    pub scenarios: Vec<ScenarioTally>,
    pub services: Vec<Tally>,
}

impl Tallies {
    pub fn new(plan: &Arc<Plan>) -> Tallies {
        Tallies {
            scenarios: vec![ScenarioTally::default(); plan.scenarios.len()],
            services: vec![Tally::default(); plan.services.len()],
            plan: plan.clone(),
        }
    }
}

/// Counts by name, over all plans.
#[derive(Default)]
pub struct Totals {
    pub scenarios: BTreeMap<String, ScenarioTally>,
    pub services: BTreeMap<String, Tally>,
}

impl Totals {
    pub fn add(&mut self, tallies: Tallies) {
        let Tallies { plan, scenarios, services } = tallies;
        for (i, (scenario, tally)) in plan.scenarios.iter().zip(scenarios).enumerate() {
            if tally.spans.expected > 0 || tally.spans.leaked > 0 {
                // With incidents, the probability changes with time.
                let known = Some(&plan).filter(|plan| plan.incidents.is_empty());
                let failing = || Some(known?.expectation(ScenarioId(i as u32))?.failed);
                let entry = self.scenarios.entry(plan.text(scenario.name).into()).or_default();
                *entry += tally;
                // The probability is computed once for a plan, not for each era: a run at full speed has an era a second.
                entry.failing = entry.failing.or_else(failing);
            }
        }
        for (service, tally) in plan.services.iter().zip(services) {
            if tally.expected > 0 || tally.leaked > 0 {
                *self.services.entry(plan.text(service.name).into()).or_default() += tally;
            }
        }
    }
}
