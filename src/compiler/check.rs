//! The checks that take more than one place: names that clash, sums, limits.

use super::report::Report;
use super::shared::{Shared, blocks, each_item};
use crate::language::diagnostic::{Problem, Role};
use crate::language::scenario::dist::Dist;
use crate::language::scenario::incident::Incident;
use crate::language::scenario::shared::Library;
use crate::language::scenario::{Body, ErrorCondition, EventTime, Model, Scenario, Span};
use crate::language::source::Loc;
use crate::plan::limits;
use std::collections::HashMap;

/// The tolerance for rounding errors of sums such as 33.3 + 33.3 + 33.4.
const TOLERANCE: f64 = 1e-9;
const HOUR: u64 = 3_600 * 1_000_000_000;

/// The maximum number of values of all scenarios together, with all shared spans inserted where they are used.
const VALUES: usize = 1 << 23;

/// Checks the whole model, and each scenario alone. Returns which scenarios are within the limits on which the compiler
/// relies.
pub fn model(model: &Model, shared: &Shared, report: &mut Report) -> Vec<bool> {
    let mut names = HashMap::new();
    for scenario in &model.scenarios {
        if scenario.name.value.is_empty() {
            // It is invalid, which has been reported.
            report.poison();
        } else if let Some(first) = names.get(scenario.name.value.as_str()) {
            let problem = Problem::DuplicateScenario { name: scenario.name.value.clone() };
            report.add_related(problem, scenario.name.loc, Role::First, [*first]);
        } else {
            names.insert(scenario.name.value.as_str(), scenario.name.loc);
        }
    }
    incidents(&model.incidents, report);
    let weights: Vec<_> = model.scenarios.iter().map(|s| s.weight.as_ref()).collect();
    if let Some(Some(first)) = weights.first()
        && weights.iter().all(|weight| weight.is_some_and(|weight| weight.value == 0.0))
    {
        let others = weights[1..].iter().flatten().map(|weight| weight.loc).take(8);
        report.add_related(Problem::AllWeightsZero, first.loc, Role::ZeroWeight, others);
    }
    let mut sum = 0.0;
    for scenario in &model.scenarios {
        sum += scenario.weight.as_ref().map_or(1.0, |weight| weight.value);
        if sum == f64::INFINITY
            && let Some(weight) = &scenario.weight
        {
            report.add(Problem::WeightOverflow, weight.loc);
            break;
        }
    }
    let mut values = 0;
    let scenarios = model.scenarios.iter();
    scenarios.map(|scenario| Bounds::new(scenario, shared, &mut values).check(scenario, report)).collect()
}

/// Checks the names and the terms of incidents.
fn incidents(incidents: &[Incident], report: &mut Report) {
    let mut names = HashMap::new();
    for incident in incidents {
        if let Some(first) = names.get(incident.name.value.as_str()) {
            let problem = Problem::DuplicateIncident { name: incident.name.value.clone() };
            report.add_related(problem, incident.name.loc, Role::First, [*first]);
        } else {
            names.insert(incident.name.value.as_str(), incident.name.loc);
        }
        let refusals = incident.error_conditions.iter().filter_map(|condition| condition.delay.as_ref());
        let add = incident.latency.as_ref().and_then(|latency| latency.add.as_ref());
        incident.delay.iter().chain(add).chain(refusals).for_each(|delay| check_delay(delay, report));
        probabilities(incident.error_conditions.iter(), report);
    }
    if incidents.len() > limits::INCIDENTS {
        let fault = format!("more than {} incidents", limits::INCIDENTS);
        report.add(Problem::BeyondLimits { fault }, incidents[limits::INCIDENTS].loc);
    }
}

/// The size of a scenario, with shared spans inserted where they are used.
struct Bounds<'a, 'm> {
    shared: &'a Shared<'m>,
    library: &'m Library,
    /// The number of spans and groups so far.
    blocks: usize,
    /// The number of values from shared spans so far, in this scenario and in those before it.
    values: &'a mut usize,
    is_shallow: bool,
    /// The use of a shared span with which the number of blocks exceeded its limit.
    crossed: Option<Loc>,
}

impl<'a, 'm> Bounds<'a, 'm> {
    fn new(scenario: &Scenario, shared: &'a Shared<'m>, values: &'a mut usize) -> Self {
        Bounds { shared, library: shared.library(scenario.scope), blocks: 1, values, is_shallow: true, crossed: None }
    }

    /// Checks the depth and number of spans and groups, and each span alone. Returns whether the scenario is within the
    /// limits.
    fn check(mut self, scenario: &Scenario, report: &mut Report) -> bool {
        self.span(&scenario.root, 0, report);
        each_item(&scenario.root, |item, depth| {
            self.blocks = self.blocks.saturating_add(blocks(item));
            if depth >= limits::CALL_DEPTH {
                self.too_deep(item.loc, report);
            }
            match &item.body {
                Body::Span(span) => self.span(span, depth, report),
                Body::Group(_) => {}
                Body::Work(delay) => check_delay(delay, report),
            }
        });
        if self.blocks > limits::BLOCKS {
            let problem = Problem::TooManySpans { found: self.blocks, limit: limits::BLOCKS };
            report.add(problem, self.crossed.unwrap_or(scenario.name.loc));
        }
        self.is_shallow && self.blocks <= limits::BLOCKS && *self.values <= VALUES
    }

    /// Checks a span `depth` calls below the root.
    fn span(&mut self, span: &Span, depth: usize, report: &mut Report) {
        let refusals = span.error_conditions.iter().filter_map(|condition| condition.delay.as_ref());
        let events = span.events.iter().filter_map(|event| match &event.at {
            EventTime::After(time) => Some(time),
            EventTime::AfterWork | EventTime::End => None,
        });
        let lags = span.links.iter().filter_map(|link| link.lag.as_ref());
        let times = span.delay.iter().chain(refusals).chain(events).chain(lags);
        times.for_each(|delay| check_delay(delay, report));
        self.shared.check(self.library, span, report);
        let Some(used) = &span.shared else { return };
        let Some(extent) = self.shared.extent(self.library, used) else { return };
        let at = used.name.loc;
        if depth + extent.depth >= limits::CALL_DEPTH {
            self.too_deep(at, report);
        }
        let before = (self.blocks, *self.values);
        self.blocks = self.blocks.saturating_add(extent.blocks);
        *self.values = self.values.saturating_add(extent.values);
        if before.0 <= limits::BLOCKS && self.blocks > limits::BLOCKS {
            self.crossed = Some(at);
        }
        if before.1 <= VALUES && *self.values > VALUES && self.crossed.is_none() {
            report.add(Problem::SharedTooMuch { limit: VALUES }, at);
        }
    }

    fn too_deep(&mut self, at: Loc, report: &mut Report) {
        if self.is_shallow {
            report.add(Problem::CallsTooDeep { limit: limits::CALL_DEPTH }, at);
        }
        self.is_shallow = false;
    }
}

fn check_delay(delay: &Dist, report: &mut Report) {
    if delay.longest() > limits::DELAY {
        report.add(Problem::DelayTooLong { limit: limits::DELAY / HOUR }, delay.loc);
    }
}

/// Checks that the probabilities of a span's conditions, which share a roll, sum to at most 100.
pub fn probabilities<'c>(conditions: impl Iterator<Item = &'c ErrorCondition> + Clone, report: &mut Report) {
    for at_end in [false, true] {
        let list = conditions.clone().filter(|condition| condition.at_end == at_end && condition.when.is_none());
        let percents: Vec<_> = list.filter_map(|condition| condition.probability.as_ref()).collect();
        let mut sum = 0.0;
        for percent in &percents {
            let before = sum;
            sum += percent.value;
            if sum > 100.0 + TOLERANCE && before <= 100.0 + TOLERANCE {
                let total = percents.iter().map(|percent| percent.value).sum();
                let others = percents.iter().map(|other| other.loc).filter(|loc| *loc != percent.loc).take(8);
                report.add_related(Problem::ProbabilitySum { sum: total }, percent.loc, Role::Summand, others);
            }
        }
    }
}
