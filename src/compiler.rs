//! The compiler, which turns the model of scenario files into a plan.
//!
//! [`compile`] runs all steps: `shared` finds out what shared spans there are; `check` finds mistakes that take more than
//! one place to see; `names` inserts shared spans where they are used, and finds the meaning of names and the order of
//! everything; `resolve` makes the `typed` tree (with `expression` for each template and `service` for the resources);
//! `lower` turns it into instructions; `malform` adds what is malformed; `load` finds out when traces start; `link` finds the
//! spans to which links can lead; `compact` leaves out what nothing uses; and at the end the plan's verifier checks the
//! result.

mod check;
mod compact;
mod expression;
mod incident;
mod interval;
mod link;
mod load;
mod lower;
mod malform;
mod names;
mod order;
mod report;
mod resolve;
mod service;
mod shared;
mod source_map;
mod tables;
mod times;
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
use names::{Names, check_selections};
use report::Report;
use resolve::Resolver;
use service::Services;
use shared::Shared;

/// The number of scenarios to resolve for which it is worth starting a thread.
const SCENARIOS_A_THREAD: usize = 64;

/// The result of compiling.
#[derive(Debug)]
pub struct Compiled {
    /// The plan, if no diagnostic is an error, the model had no mistakes before, and there is a scenario.
    pub plan: Option<Plan>,
    /// The diagnostics in file order.
    pub diagnostics: Vec<Diagnostic>,
    /// The place where each part of the plan was written.
    pub map: SourceMap,
}

/// Compiles a model. All mistakes are found, unless the budget is spent before: then the only diagnostic says so. Time and
/// memory are proportional to the model's size and to what [`tables`] and [`link`] allow it to make.
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
        Ok((Names::new(scenario, model, &shared, &mut report), report))
    });
    let mut names = Vec::with_capacity(resolved.len());
    for resolved in resolved {
        let (of_one, found) = resolved?;
        report.append(found);
        names.push(of_one);
    }
    if names.len() == model.scenarios.len() {
        check_selections(&names, &model.partial, &mut report);
    }
    let mut resolver = Resolver::new(Services::new(model));
    incident::add(&model.incidents, &mut resolver.tables);
    let mut map = SourceMap::default();
    // These are the largest tables; growing them step by step would copy them repeatedly.
    let blocks = names.iter().map(|names| names.blocks.len()).sum();
    resolver.tables.program.blocks.reserve_exact(blocks);
    map.blocks.reserve_exact(blocks);
    let mut roots = Vec::with_capacity(names.len());
    for (at, names) in names.iter().enumerate() {
        let root = BlockId(resolver.tables.program.blocks.len() as u32);
        roots.push(root);
        let scenario = resolver.scenario(at, root, names, budget, &mut report)?;
        lower::scenario(scenario, &mut resolver.tables.program, &mut map);
        if report.is_full() {
            break;
        }
    }
    if !report.failed() {
        malform::lower(model, &names, &roots, &mut resolver.tables, &mut report);
    }
    let Resolver { tables, mut services, exports, links, .. } = resolver;
    let mut program = tables.program;
    load::sources(model, &mut program, &mut report);
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

/// Compiles what was loaded. The diagnostics are those of loading and compiling, and there is no plan if any of them is an
/// error.
pub fn compile_loaded(loaded: Loaded) -> (Sources, Compiled) {
    let Loaded { sources, model, mut diagnostics, budget } = loaded;
    let mut compiled = compile(&model, &budget);
    if matches!(compiled.diagnostics[..], [Diagnostic { problem: Problem::Stopped { .. }, .. }]) {
        return (sources, compiled);
    }
    if diagnostics.iter().any(|d| d.problem.class() == Class::File) {
        // A file that can't be read may contain the span that is missing.
        let needs_all =
            |problem: &Problem| matches!(problem, Problem::GlobMatchesNothing { .. } | Problem::SelectsNothing { .. });
        compiled.diagnostics.retain(|d| !needs_all(&d.problem));
    }
    if diagnostics.iter().any(|d| d.severity() == Severity::Error) {
        compiled.plan = None;
        // A part that can't be read may use it.
        compiled.diagnostics.retain(|d| !d.problem.is_unused());
    } else if model.scenarios.is_empty() && sources.files().len() > 0 {
        diagnostics.push(Diagnostic::new(Problem::NoScenario, START));
    }
    diagnostics.append(&mut compiled.diagnostics);
    language::sort(&mut diagnostics);
    compiled.diagnostics = diagnostics;
    (sources, compiled)
}

/// Reports a violation. If the program is beyond a limit, the user has to change it; any other violation is a mistake of
/// the compiler.
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
