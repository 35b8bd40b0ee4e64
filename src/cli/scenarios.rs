//! The input of a subcommand: scenario files and directories, or one plan file.

use super::environment;
use super::output::{say, tell};
use super::{Exit, Failure};
use crate::compiler::{self, Compiled, SourceMap};
use crate::language::diagnostic::{Diagnostic, Severity, render};
use crate::language::{self, Loaded, source::Sources};
use crate::plan::{Plan, PlanFileError};
use crate::text::foreign::foreign;
use crate::web::Edition;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::sync::Arc;

macro_rules! shipped {
    ($file:literal) => {
        (concat!("tracegen/", $file), include_str!(concat!("../../scenarios/", $file)))
    };
}

/// Returns the given paths; if there are none, the path in SCENARIOS_DIR or SCENARIOS_PATH; or else the directory
/// `scenarios`.
pub fn named(given: Vec<PathBuf>) -> Vec<PathBuf> {
    chosen(given).unwrap_or_else(|| vec![PathBuf::from(DIRECTORY)])
}

/// Returns the same paths as [`named`], except that it returns none, which stands for the shipped scenarios, if no path
/// was chosen and the directory `scenarios` does not exist.
pub fn paths(given: Vec<PathBuf>) -> Vec<PathBuf> {
    chosen(given).unwrap_or_else(|| [PathBuf::from(DIRECTORY)].into_iter().filter(|path| path.exists()).collect())
}

fn chosen(given: Vec<PathBuf>) -> Option<Vec<PathBuf>> {
    let variable = || environment::text("SCENARIOS_DIR").or_else(|| environment::text("SCENARIOS_PATH"));
    if given.is_empty() { variable().map(|path| vec![PathBuf::from(path)]) } else { Some(given) }
}

pub fn is_default(paths: &[PathBuf]) -> bool {
    paths == [Path::new(DIRECTORY)]
}

/// Returns the paths as text for people.
pub fn shown(paths: &[PathBuf]) -> String {
    let names: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
    if names.is_empty() { "what tracegen comes with".into() } else { names.join(", ") }
}

/// The directory in which scenarios are looked for by default.
const DIRECTORY: &str = "scenarios";

/// The names and texts of the shipped scenarios, which are used if no path is chosen and there is no directory `scenarios`.
const SHIPPED: &[(&str, &str)] = &[
    shipped!("_base.yaml"),
    shipped!("01_api_gateway.yaml"),
    shipped!("02_billing_service.yaml"),
    shipped!("03_search_service.yaml"),
    shipped!("04_async_producer.yaml"),
    shipped!("05_async_consumer.yaml"),
    shipped!("06_grafana_tempo.yaml"),
    shipped!("07_analytics_batch.yaml"),
    shipped!("08_user_profile_update.yaml"),
    shipped!("09_configuration_service.yaml"),
    shipped!("10_search_service_slow.yaml"),
];

/// The result of compiling scenario files.
pub struct Compilation {
    pub sources: Sources,
    /// The number of files that contain scenarios.
    pub files: usize,
    /// The diagnostics of loading and of compiling, in file order.
    pub diagnostics: Vec<Diagnostic>,
    pub plan: Option<Plan>,
    pub map: SourceMap,
}

impl Compilation {
    pub fn of(paths: &[PathBuf]) -> Compilation {
        let loaded = if paths.is_empty() { shipped() } else { language::load(paths) };
        let files = loaded.model.scopes.len();
        let (sources, Compiled { plan, diagnostics, map }) = compiler::compile_loaded(loaded);
        Compilation { sources, files, diagnostics, plan, map }
    }

    pub fn count(&self, severity: Severity) -> usize {
        self.diagnostics.iter().filter(|d| d.severity() == severity).count()
    }

    /// Prints the diagnostics on stderr for people.
    pub fn print_diagnostics(&self) {
        print_diagnostics(&self.sources, &self.diagnostics);
    }
}

/// Prints diagnostics on stderr for people.
pub fn print_diagnostics(sources: &Sources, diagnostics: &[Diagnostic]) {
    if !diagnostics.is_empty() {
        tell(render::human(sources, diagnostics, colors_wanted()) + "\n");
    }
    if let Some(summary) = render::summary(sources, diagnostics) {
        tell(format_args!("{}\n", foreign(&summary)));
    }
}

fn shipped() -> Loaded {
    say(format_args!("there is no `{DIRECTORY}` here: these are the scenarios that tracegen comes with"));
    language::load_texts(SHIPPED.iter().map(|(name, text)| ((*name).into(), (*text).into())).collect())
}

/// Reports whether stderr takes colours: it is a terminal, and neither `NO_COLOR` nor `TERM=dumb` is set.
fn colors_wanted() -> bool {
    anstream::AutoStream::choice(&std::io::stderr()) != anstream::ColorChoice::Never && std::io::stderr().is_terminal()
}

/// Returns the plan of `paths`: that of one plan file, or of compiled scenarios, whose warnings and errors are printed.
///
/// # Errors
/// The files can't be read, or do not compile.
pub fn plan(paths: &[PathBuf]) -> Result<Plan, Failure> {
    match plan_file(paths)? {
        Some(plan) => Ok(plan),
        None => Ok(compiled(paths)?.1),
    }
}

/// Returns the plan of `paths` together with its sources; a plan file has none.
///
/// # Errors
/// The files can't be read, or do not compile.
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

/// Reads the plan file, or returns `None` if the paths are not those of one plan file.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_files_of_the_directory_are_shipped() {
        let directory = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(DIRECTORY);
        let files =
            std::fs::read_dir(&directory).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_file());
        let mut names: Vec<_> = files.map(|path| path.file_name().unwrap().to_str().unwrap().to_owned()).collect();
        names.sort();
        let mut shipped: Vec<_> = SHIPPED.iter().map(|(name, _)| name.trim_start_matches("tracegen/")).collect();
        shipped.sort();
        assert_eq!(shipped, names);
        let (alone, there) = (Compilation::of(&[]), Compilation::of(&[directory]));
        assert_eq!(alone.plan.map(|plan| plan.digest_hex()), there.plan.map(|plan| plan.digest_hex()));
    }
}
