//! The sources of traces, from the loads of files and scenarios.

use super::report::Report;
use super::times::without_values;
use crate::language::diagnostic::{Problem, Role};
use crate::language::scenario::Model;
use crate::language::scenario::incident::Incident;
use crate::language::scenario::load::{Form, Load};
use crate::plan::{Dist, Point, Program, RateChange, ScenarioId, Source, SourceForm, UNITS_A_SECOND, glob, limits};

/// Adds the sources to the program, whose scenarios are those of the model.
pub fn sources(model: &Model, program: &mut Program, report: &mut Report) {
    if let [first, others @ ..] = &model.loads[..] {
        for other in others {
            report.add_related(Problem::SecondLoad, other.loc, Role::First, [first.loc]);
        }
        if !model.scenarios.is_empty() && model.scenarios.iter().all(|scenario| scenario.load.is_some()) {
            report.add(Problem::UnusedLoad, first.loc);
        }
    }
    let shared = model.loads.first().map(|load| (None, load));
    let own = model.scenarios.iter().enumerate().filter_map(|(at, scenario)| {
        let load = scenario.load.as_ref()?;
        Some((Some(ScenarioId(at as u32)), load))
    });
    let mut peak = 0.0;
    for (scenario, load) in shared.into_iter().chain(own) {
        let source = Source { scenario, form: form(load) };
        let before = peak;
        peak += source.form.peak_rate();
        if before <= limits::LOAD_RATE && peak > limits::LOAD_RATE {
            report.add(Problem::LoadTooHigh { limit: limits::LOAD_RATE as u64 }, load.loc);
        }
        program.load.push(source);
    }
    for (at, incident) in model.incidents.iter().enumerate() {
        change_rate(model, at, incident, program, report);
    }
}

/// Adds what an incident, the one at a position among all, makes of rates.
fn change_rate(model: &Model, at: usize, incident: &Incident, program: &mut Program, report: &mut Report) {
    let Some(times) = &incident.rate else { return };
    let names = model.scenarios.iter().map(|scenario| &scenario.name.value).zip((0..).map(ScenarioId));
    let is_selected = |name: &str| incident.scenario_glob().is_none_or(|glob| glob::matches(&glob.value, name));
    let selected: Vec<ScenarioId> = names.filter(|(name, _)| is_selected(name)).map(|(_, id)| id).collect();
    let is_at_a_rate = |id: &ScenarioId| {
        let source = program.own_source(*id).or(program.shared_source());
        source.is_some_and(|source| matches!(source.form, SourceForm::Rate { .. }))
    };
    if selected.is_empty() {
        // What selects nothing has been reported.
        return;
    }
    if !selected.iter().any(is_at_a_rate) {
        return report.add(Problem::NoRate, times.loc);
    }
    let scenarios = if incident.scenario_glob().is_some() { selected } else { vec![] };
    program.incidents[at].rate = Some(RateChange { times: times.value, scenarios });
    let peak: f64 = program.load.iter().map(|source| program.peak_rate(source)).sum();
    let problem = if peak > limits::LOAD_RATE {
        Problem::LoadTooHigh { limit: limits::LOAD_RATE as u64 }
    } else if program.load.iter().any(|source| program.rate_changes(source) > limits::RATE_CHANGES) {
        Problem::RateChangesTooOften { limit: limits::RATE_CHANGES as u64 }
    } else {
        return;
    };
    report.add(problem, times.loc);
    // It is reported once.
    program.incidents[at].rate = None;
}

fn form(load: &Load) -> SourceForm {
    match &load.form {
        Form::Rate { poisson, points, cycle } => {
            let units = |rate: f64| (rate * UNITS_A_SECOND as f64).round() as u64;
            let points = points.iter().map(|point| Point { at: point.at, rate: units(point.rate) });
            SourceForm::Rate { poisson: *poisson, points: points.collect(), cycle: *cycle }
        }
        Form::Job { every, at, jitter } => {
            let plain = |jitter: &crate::language::scenario::dist::Dist| {
                Some(Dist { form: without_values(&jitter.form)?, max: jitter.max })
            };
            SourceForm::Job { every: *every, at: *at, jitter: jitter.as_ref().and_then(plain) }
        }
    }
}
