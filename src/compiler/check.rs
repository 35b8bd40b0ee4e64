//! What takes more than one place to see: names that clash, sums, bounds.

use super::report::Report;
use crate::language::diagnostic::{Problem, Role};
use crate::language::scenario::dist::Dist;
use crate::language::scenario::{Body, EventTime, Item, Model, Scenario, Span};
use crate::plan::limits;
use std::collections::HashMap;

/// Rounding of sums such as 33.3 + 33.3 + 33.4.
const TOLERANCE: f64 = 1e-9;
const HOUR: u64 = 3_600 * 1_000_000_000;

/// Checks the whole, and each scenario on its own. The answer: which scenarios are within the bounds that the compiler
/// leans on.
pub fn model(model: &Model, report: &mut Report) -> Vec<bool> {
    let mut names = HashMap::new();
    for scenario in &model.scenarios {
        if scenario.name.value.is_empty() {
            // Wrong, and reported already.
            report.poison();
        } else if let Some(first) = names.get(scenario.name.value.as_str()) {
            let problem = Problem::DuplicateScenario { name: scenario.name.value.clone() };
            report.add_related(problem, scenario.name.loc, Role::First, [*first]);
        } else {
            names.insert(scenario.name.value.as_str(), scenario.name.loc);
        }
    }
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
    model.scenarios.iter().map(|scenario| bounds(scenario, report)).collect()
}

/// Depth and number of spans and groups, and what each span says on its own. Without recursion: steps nest as deep as there are
/// many.
fn bounds(scenario: &Scenario, report: &mut Report) -> bool {
    span(&scenario.root, report);
    let mut waiting = below(&scenario.root.calls, 2);
    let mut found = 1;
    let mut shallow = true;
    while let Some((item, depth)) = waiting.pop() {
        // One that repeats may need a group around it.
        found += 1 + usize::from(item.repeat.is_some());
        let depth = depth + usize::from(item.repeat.is_some());
        if depth > limits::CALL_DEPTH {
            if shallow {
                report.add(Problem::CallsTooDeep { limit: limits::CALL_DEPTH }, item.loc);
            }
            shallow = false;
            continue;
        }
        match &item.body {
            Body::Span(at) => {
                span(at, report);
                waiting.extend(below(&at.calls, depth + 1));
            }
            Body::Group(list) => waiting.extend(below(&list.items, depth + 1)),
            Body::Work(delay) => check_delay(delay, report),
        }
    }
    if found > limits::BLOCKS {
        report.add(Problem::TooManySpans { found, limit: limits::BLOCKS }, scenario.name.loc);
        return false;
    }
    shallow
}

fn below(items: &[Item], depth: usize) -> Vec<(&Item, usize)> {
    items.iter().rev().map(|item| (item, depth)).collect()
}

fn check_delay(delay: &Dist, report: &mut Report) {
    if delay.longest() > limits::DELAY {
        report.add(Problem::DelayTooLong { limit: limits::DELAY / HOUR }, delay.loc);
    }
}

fn span(span: &Span, report: &mut Report) {
    let refusals = span.error_conditions.iter().filter_map(|condition| condition.delay.as_ref());
    let events = span.events.iter().filter_map(|event| match &event.at {
        EventTime::After(time) => Some(time),
        EventTime::AfterWork | EventTime::End => None,
    });
    let lags = span.links.iter().filter_map(|link| link.lag.as_ref());
    let times = span.delay.iter().chain(refusals).chain(events).chain(lags);
    times.for_each(|delay| check_delay(delay, report));
    for at_end in [false, true] {
        let list =
            span.error_conditions.iter().filter(|condition| condition.at_end == at_end && condition.when.is_none());
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
