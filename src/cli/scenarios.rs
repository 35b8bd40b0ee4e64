//! What a subcommand is given to work on: scenario files, directories, or a plan file.

use super::environment;
use super::{Exit, Failure};
use crate::compiler::{self, Compiled, SourceMap};
use crate::language::diagnostic::{Diagnostic, Severity, render};
use crate::language::{self, source::Sources};
use crate::plan::{Plan, PlanFileError};
use crate::web::Edition;
use std::io::IsTerminal;
use std::path::PathBuf;
use std::sync::Arc;

/// Scenario files or directories [default: SCENARIOS_DIR, SCENARIOS_PATH or `scenarios`]
pub fn paths(given: Vec<PathBuf>) -> Vec<PathBuf> {
    if !given.is_empty() {
        return given;
    }
    let variable = environment::text("SCENARIOS_DIR").or_else(|| environment::text("SCENARIOS_PATH"));
    vec![PathBuf::from(variable.unwrap_or_else(|| "scenarios".into()))]
}

/// Files, compiled.
pub struct Compilation {
    pub sources: Sources,
    /// That hold scenarios.
    pub files: usize,
    /// In file order; those of both stages.
    pub diagnostics: Vec<Diagnostic>,
    pub plan: Option<Plan>,
    pub map: SourceMap,
}

impl Compilation {
    pub fn of(paths: &[PathBuf]) -> Compilation {
        let loaded = language::load(paths);
        let files = loaded.model.scopes.len();
        let (sources, Compiled { plan, diagnostics, map }) = compiler::compile_loaded(loaded);
        Compilation { sources, files, diagnostics, plan, map }
    }

    pub fn count(&self, severity: Severity) -> usize {
        self.diagnostics.iter().filter(|d| d.severity() == severity).count()
    }

    /// The diagnostics as a person reads them, on stderr.
    pub fn print_diagnostics(&self) {
        if !self.diagnostics.is_empty() {
            anstream::eprintln!("{}", render::human(&self.sources, &self.diagnostics, colors_wanted()));
        }
        if let Some(summary) = render::summary(&self.sources, &self.diagnostics) {
            anstream::eprintln!("{summary}");
        }
    }
}

/// Whether stderr takes colours: a terminal, and neither `NO_COLOR` nor `TERM=dumb`.
fn colors_wanted() -> bool {
    anstream::AutoStream::choice(&std::io::stderr()) != anstream::ColorChoice::Never && std::io::stderr().is_terminal()
}

/// The plan that `paths` hold: one plan file, or scenarios to be compiled, whose warnings and errors are printed.
pub fn plan(paths: &[PathBuf]) -> Result<Plan, Failure> {
    match plan_file(paths)? {
        Some(plan) => Ok(plan),
        None => Ok(compiled(paths)?.1),
    }
}

/// The same with the sources, where there are some.
pub fn edition(paths: &[PathBuf]) -> Result<Edition, Failure> {
    if let Some(plan) = plan_file(paths)? {
        return Ok(Edition { sources: None, plan: Arc::new(plan), map: Arc::default(), warnings: Arc::default() });
    }
    let (Compilation { sources, map, diagnostics, .. }, plan) = compiled(paths)?;
    Ok(Edition {
        sources: Some(Arc::new(sources)),
        plan: Arc::new(plan),
        map: Arc::new(map),
        warnings: Arc::new(diagnostics),
    })
}

/// `None`: the paths are not one plan file.
fn plan_file(paths: &[PathBuf]) -> Result<Option<Plan>, Failure> {
    if let [path] = paths
        && path.extension().is_some_and(|e| e != "yaml" && e != "yml")
        && path.is_file()
    {
        let failed = |e: PlanFileError| Failure::impossible(format!("{}: {e}", path.display()));
        let file = std::fs::File::open(path).map_err(|e| failed(PlanFileError::Io(e)))?;
        return Plan::read_file(file).map(Some).map_err(failed);
    }
    Ok(None)
}

fn compiled(paths: &[PathBuf]) -> Result<(Compilation, Plan), Failure> {
    let mut compilation = Compilation::of(paths);
    compilation.print_diagnostics();
    let errors = compilation.count(Severity::Error);
    let plan = compilation.plan.take().ok_or_else(|| Failure {
        exit: Exit::Wrong,
        message: format!("{} in the scenarios, nothing was run", crate::text::count(errors as u64, "error")),
    })?;
    Ok((compilation, plan))
}
