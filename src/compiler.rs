//! Language to plan.
//!
//! [`compile`] shows the whole way: `check` looks at what takes more than one place to see, `resolve` gives names their
//! meaning and everything an order, `lower` writes the program (with `expression` for each template, `service` for the
//! resources and `link` for the links between scenarios), `compact` leaves out what nothing uses, and the plan's verifier
//! has the last word.

mod check;
mod compact;
mod expression;
mod link;
mod lower;
mod order;
mod report;
mod resolve;
mod service;
mod source_map;
mod tables;
mod types;

pub use source_map::{BlockSource, ScenarioSource, SourceMap};

use crate::language::Loaded;
use crate::language::diagnostic::{Class, Diagnostic, Problem, Severity};
use crate::language::parallel;
use crate::language::scenario::{Model, Scenario};
use crate::language::source::{FileId, Loc, Sources};
use crate::plan::{Fault, Plan, Violation, Violations};
use lower::Lowering;
use report::Report;
use resolve::Tree;
use service::Services;

/// Scenarios to resolve for which a thread is worth its start.
const SCENARIOS_A_THREAD: usize = 64;

/// The beginning of the first file, where nothing nearer is known.
const START: Loc = Loc { file: FileId(0), start: 0, end: 0 };

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

/// Compile a model. Finds all mistakes there are; takes time in proportion to the model's size (times the number of
/// different keys, for links).
pub fn compile(model: &Model) -> Compiled {
    let mut report = Report::default();
    let within_bounds = check::model(model, &mut report);
    let scenarios = model.scenarios.iter().zip(within_bounds).filter(|(_, within)| *within);
    let scenarios: Vec<&Scenario> = scenarios.map(|(scenario, _)| scenario).collect();
    let resolved = parallel::map(&scenarios, scenarios.len() / SCENARIOS_A_THREAD, |_, scenario| {
        let mut report = Report::default();
        (Tree::new(scenario, &mut report), report)
    });
    let mut trees = Vec::with_capacity(resolved.len());
    for (tree, found) in resolved {
        report.append(found);
        trees.push(tree);
    }
    let mut lowering = Lowering::new(Services::new(model), &trees);
    for tree in &trees {
        lowering.scenario(tree, &mut report);
    }
    let Lowering { tables, mut services, map, exports, links, .. } = lowering;
    let mut program = tables.program;
    services.check_unused(&mut report);
    link::find_sources(&mut program, &trees, &exports, &links, &mut report);
    let plan = if model.scenarios.is_empty() || report.failed() {
        None
    } else {
        compact::compact(&mut program);
        let verified = Plan::verify(program);
        let report_all = |violations: Violations| {
            violations.iter().for_each(|violation| report_violation(violation, model, &map, &mut report));
        };
        verified.map_err(report_all).ok()
    };
    Compiled { plan, diagnostics: report.finish(), map }
}

/// Compile what was loaded. The diagnostics are those of both, and there is no plan if either found an error.
pub fn compile_loaded(loaded: Loaded) -> (Sources, Compiled) {
    let Loaded { sources, model, mut diagnostics } = loaded;
    let mut compiled = compile(&model);
    if diagnostics.iter().any(|d| d.problem.class() == Class::File) {
        // A file that can't be read may have held the span that is missing.
        compiled.diagnostics.retain(|d| !matches!(d.problem, Problem::GlobMatchesNothing { .. }));
    }
    if diagnostics.iter().any(|d| d.severity() == Severity::Error) {
        compiled.plan = None;
    } else if model.scenarios.is_empty() && sources.files().len() > 0 {
        diagnostics.push(Diagnostic::new(Problem::NoScenario, START));
    }
    diagnostics.append(&mut compiled.diagnostics);
    diagnostics.sort_by_key(|d| (d.at.file, d.at.start));
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
        _ => Problem::Internal { violation: violation.to_string() },
    };
    report.add(problem, at);
}

#[cfg(test)]
mod tests;
