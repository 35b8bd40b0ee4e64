//! Counts by scenario and by service.

use crate::plan::{Plan, ScenarioId};
use serde::Serialize;
use std::collections::BTreeMap;
use std::iter::Sum;
use std::ops::AddAssign;
use std::sync::Arc;

/// Of spans. Expected are those delivered, lost and sampled out; duplicated, altered and orphaned ones are among the delivered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Tally {
    pub expected: u64,
    pub delivered: u64,
    pub lost: u64,
    /// Delivered more than once.
    pub duplicated: u64,
    pub altered: u64,
    /// Whose parent is lost.
    pub orphaned: u64,
    /// Not delivered, and a policy allows it.
    pub sampled_out: u64,
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Tally) {
        let Tally { expected, delivered, lost, duplicated, altered, orphaned, sampled_out } = other;
        self.expected += expected;
        self.delivered += delivered;
        self.lost += lost;
        self.duplicated += duplicated;
        self.altered += altered;
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

/// Of one scenario.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct ScenarioTally {
    #[serde(flatten)]
    pub spans: Tally,
    /// Traces of which a span has arrived, and those of them of which one that failed has.
    pub traces: u64,
    pub failed: u64,
    /// Probability that a trace fails, from the plan; `None`: not known exactly.
    pub failing: Option<f64>,
}

impl AddAssign for ScenarioTally {
    fn add_assign(&mut self, other: ScenarioTally) {
        self.spans += other.spans;
        self.traces += other.traces;
        self.failed += other.failed;
    }
}

/// By the ids of one plan.
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

/// By name, of all plans.
#[derive(Default)]
pub struct Totals {
    pub scenarios: BTreeMap<String, ScenarioTally>,
    pub services: BTreeMap<String, Tally>,
}

impl Totals {
    pub fn add(&mut self, tallies: Tallies) {
        let Tallies { plan, scenarios, services } = tallies;
        for (i, (scenario, tally)) in plan.scenarios.iter().zip(scenarios).enumerate() {
            if tally.spans.expected > 0 {
                let failing = || plan.expectation(ScenarioId(i as u32)).map(|expectation| expectation.failed);
                let of = self.scenarios.entry(plan.text(scenario.name).into()).or_default();
                *of += tally;
                // Once: a run at full speed has an era a second.
                of.failing = of.failing.or_else(failing);
            }
        }
        for (service, tally) in plan.services.iter().zip(services) {
            if tally.expected > 0 {
                *self.services.entry(plan.text(service.name).into()).or_default() += tally;
            }
        }
    }
}
