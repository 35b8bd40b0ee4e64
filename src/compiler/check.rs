//! What takes more than one place to see: names that clash, sums, bounds.

use super::report::Report;
use crate::language::diagnostic::{Problem, Role};
use crate::language::scenario::{Model, Scenario, Span};
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

/// Depth and number of spans, and what each span says on its own. Without recursion: steps nest as deep as there are many.
fn bounds(scenario: &Scenario, report: &mut Report) -> bool {
    let mut waiting = vec![(&scenario.root, 1)];
    let mut spans = 0;
    let mut shallow = true;
    while let Some((at, depth)) = waiting.pop() {
        spans += 1;
        if depth > limits::CALL_DEPTH {
            if shallow {
                report.add(Problem::CallsTooDeep { limit: limits::CALL_DEPTH }, at.loc);
            }
            shallow = false;
            continue;
        }
        span(at, report);
        waiting.extend(at.calls.iter().rev().map(|call| (call, depth + 1)));
    }
    if spans > limits::SPANS as usize {
        report.add(Problem::TooManySpans { found: spans, limit: limits::SPANS }, scenario.name.loc);
        return false;
    }
    shallow
}

fn span(span: &Span, report: &mut Report) {
    if let Some(delay) = &span.delay
        && delay.longest() > limits::DELAY
    {
        report.add(Problem::DelayTooLong { limit: limits::DELAY / HOUR }, delay.loc);
    }
    let mut sum = 0.0;
    for condition in &span.error_conditions {
        let before = sum;
        sum += condition.probability.value;
        if sum > 100.0 + TOLERANCE && before <= 100.0 + TOLERANCE {
            let total = span.error_conditions.iter().map(|c| c.probability.value).sum();
            let at = condition.probability.loc;
            let others = span.error_conditions.iter().map(|c| c.probability.loc).filter(|loc| *loc != at).take(8);
            report.add_related(Problem::ProbabilitySum { sum: total }, at, Role::Summand, others);
        }
    }
}
