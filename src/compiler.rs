//! Language to plan.
//!
//! [`compile`] shows the whole way: `shared` knows the shared spans; `check` looks at what takes more than one place to see; `names`
//! puts shared spans where they are used, and gives names their meaning and everything an order; `resolve` makes the `typed` tree (with `expression` for each template and `service` for the
//! resources); `lower` makes instructions of it; `link` finds what the links can lead to; `compact` leaves out what nothing
//! uses; and the plan's verifier has the last word.

mod check;
mod compact;
mod expression;
mod interval;
mod link;
mod lower;
mod names;
mod order;
mod report;
mod resolve;
mod service;
mod shared;
mod source_map;
mod tables;
mod typed;
mod types;
mod unused;

pub use source_map::{BlockSource, ScenarioSource, SourceMap};

use crate::language::budget::{Budget, Spent};
use crate::language::diagnostic::{Class, Diagnostic, Problem, Severity};
use crate::language::parallel;
use crate::language::scenario::{Model, Scenario};
use crate::language::source::{START, Sources};
use crate::language::{self, Loaded};
use crate::plan::{BlockId, Fault, Plan, Violation, limits};
use names::Names;
use report::Report;
use resolve::Resolver;
use service::Services;
use shared::Shared;

/// Scenarios to resolve for which a thread is worth its start.
const SCENARIOS_A_THREAD: usize = 64;

/// What compiling gives.
#[derive(Debug)]
pub struct Compiled {
    /// There if no diagnostic is an error, nothing in the model was wrong before, and there is a scenario.
    pub plan: Option<Plan>,
    /// In file order.
    pub diagnostics: Vec<Diagnostic>,
    /// Where each part of the plan was written.
    pub map: SourceMap,
}

/// Compiles a model. Finds all mistakes there are, unless the budget is spent before: then the one diagnostic says so. Time and
/// memory are in proportion to the model's size and to what [`tables`] and [`link`] let it make.
pub fn compile(model: &Model, budget: &Budget) -> Compiled {
    compile_within(model, budget).unwrap_or_else(|Spent| {
        let stopped = Diagnostic::new(Problem::Stopped { after: budget.overrun() }, START);
        Compiled { plan: None, diagnostics: vec![stopped], map: SourceMap::default() }
    })
}

fn compile_within(model: &Model, budget: &Budget) -> Result<Compiled, Spent> {
    let mut report = Report::default();
    let shared = Shared::new(model, &mut report);
    let within_bounds = check::model(model, &shared, &mut report);
    let scenarios = model.scenarios.iter().zip(within_bounds).filter(|(_, within)| *within);
    let scenarios: Vec<&Scenario> = scenarios.map(|(scenario, _)| scenario).collect();
    let resolved = parallel::map(&scenarios, scenarios.len() / SCENARIOS_A_THREAD, |_, scenario| {
        budget.check()?;
        let mut report = Report::default();
        Ok((Names::new(scenario, &shared, &mut report), report))
    });
    let mut names = Vec::with_capacity(resolved.len());
    for resolved in resolved {
        let (of_one, found) = resolved?;
        report.append(found);
        names.push(of_one);
    }
    let mut resolver = Resolver::new(Services::new(model));
    let mut map = SourceMap::default();
    // The largest tables of all: growing them would copy them again and again.
    let blocks = names.iter().map(|names| names.blocks.len()).sum();
    resolver.tables.program.blocks.reserve_exact(blocks);
    map.blocks.reserve_exact(blocks);
    for (at, names) in names.iter().enumerate() {
        let root = BlockId(resolver.tables.program.blocks.len() as u32);
        let scenario = resolver.scenario(at, root, names, budget, &mut report)?;
        lower::scenario(scenario, &mut resolver.tables.program, &mut map);
        if report.is_full() {
            break;
        }
    }
    let Resolver { tables, mut services, exports, links, .. } = resolver;
    let mut program = tables.program;
    services.check_unused(budget, &mut report)?;
    if !report.is_full() {
        link::find_sources(&mut program, &names, &exports, &links, budget, &mut report)?;
    }
    if !report.failed() {
        unused::report_vars(&names, &mut report);
        shared.check_unused(&mut report);
    }
    let plan = if model.scenarios.is_empty() || report.failed() {
        None
    } else {
        compact::compact(&mut program);
        budget.check()?;
        match Plan::verify(program) {
            Ok(plan) => Some(plan),
            Err(violations) => {
                violations.iter().for_each(|violation| report_violation(violation, model, &map, &mut report));
                None
            }
        }
    };
    Ok(Compiled { plan, diagnostics: report.finish(), map })
}

/// Compile what was loaded. The diagnostics are those of both, and there is no plan if either found an error.
pub fn compile_loaded(loaded: Loaded) -> (Sources, Compiled) {
    let Loaded { sources, model, mut diagnostics, budget } = loaded;
    let mut compiled = compile(&model, &budget);
    if matches!(compiled.diagnostics[..], [Diagnostic { problem: Problem::Stopped { .. }, .. }]) {
        return (sources, compiled);
    }
    if diagnostics.iter().any(|d| d.problem.class() == Class::File) {
        // A file that can't be read may have held the span that is missing.
        compiled.diagnostics.retain(|d| !matches!(d.problem, Problem::GlobMatchesNothing { .. }));
    }
    if diagnostics.iter().any(|d| d.severity() == Severity::Error) {
        compiled.plan = None;
        // What could not be read may have used it.
        compiled.diagnostics.retain(|d| !d.problem.is_unused());
    } else if model.scenarios.is_empty() && sources.files().len() > 0 {
        diagnostics.push(Diagnostic::new(Problem::NoScenario, START));
    }
    diagnostics.append(&mut compiled.diagnostics);
    language::sort(&mut diagnostics);
    compiled.diagnostics = diagnostics;
    (sources, compiled)
}

/// A program beyond a limit is the user's to change; all else the verifier refuses is a mistake of the compiler.
fn report_violation(violation: &Violation, model: &Model, map: &SourceMap, report: &mut Report) {
    let first = model.scenarios.first().map_or(START, |s| s.name.loc);
    let at = map.find(violation.place).unwrap_or(first);
    let problem = match &violation.fault {
        Fault::TooMany { .. } | Fault::ExprDepth | Fault::Duration => {
            Problem::BeyondLimits { fault: violation.fault.to_string() }
        }
        Fault::Spans { max, factors } => {
            Problem::TraceTooLarge { spans: *max, limit: limits::SPANS, factors: factors.clone() }
        }
        _ => Problem::Internal { violation: violation.to_string() },
    };
    report.add(problem, at);
}

#[cfg(test)]
mod tests;
