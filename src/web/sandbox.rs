//! The sandbox of the playground: scenarios are compiled in memory, together with the library's services. Nothing is
//! written.

use super::library::Shelf;
use super::library::changes::FILE;
use crate::compiler::{self, Compiled};
use crate::interpreter::{Arrivals, Interpreter, Run, Schedule};
use crate::language;
use crate::language::budget::Budget;
use crate::language::diagnostic::{Diagnostic, Problem};
use crate::language::files::BASE;
use crate::language::scenario::Scenario;
use crate::language::source::{FileId, Sources};
use crate::plan::{Place, Plan, ScenarioId};
use crate::trace::{Origin, Trace};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;
use tokio::time::timeout;

/// The name of a text that does not replace a file of the library.
const NAME: &str = "playground.yaml";
/// The maximum number of traces that are searched for one of the scenarios in the text.
const MAX_TRIES: u64 = 100_000;
/// The index of the first sample if a scenario links, so that there are earlier traces to find.
const WITH_LINKS: u64 = 1_000;
/// The start of the samples' schedule, in ns since 1970: 2026-01-01T00:00:00Z.
const START: u64 = 1_767_225_600_000_000_000;
/// The pace of the samples: ten traces a second.
const PACE: Arrivals = Arrivals::Even { count: 10, per_ns: 1_000_000_000 };

/// The permits for compilations at the same time, which must neither slow down the engine nor take all memory.
static COMPILATIONS: Semaphore = Semaphore::const_new(2);
/// The time to wait for a permit.
const TURN: Duration = Duration::from_secs(1);
/// The time allowed for compiling a text.
const DEADLINE: Duration = Duration::from_secs(2);

/// Runs `work` on a thread of its own, because compiling takes a while and must not block other answers. Only few run at a
/// time. `work` gets a budget that is spent when nobody waits for the answer any more. Returns `None` if too many are
/// running.
pub async fn in_turn<T: Send + 'static>(work: impl FnOnce(Budget) -> T + Send + 'static) -> Option<T> {
    let permit = timeout(TURN, COMPILATIONS.acquire()).await.ok()?.ok()?;
    let budget = Budget::lasting(DEADLINE);
    let _waiting = Waiting(budget.clone());
    let work = move || {
        let done = work(budget);
        drop(permit);
        done
    };
    tokio::task::spawn_blocking(work).await.ok()
}

/// A guard that spends the budget when nobody waits for the answer any more.
struct Waiting(Budget);

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

/// The result of compiling a text.
pub struct Trial {
    pub sources: Sources,
    /// The file of the text.
    pub file: FileId,
    pub diagnostics: Vec<Diagnostic>,
    pub plan: Option<Arc<Plan>>,
    /// The scenarios in the text.
    pub own: Vec<ScenarioId>,
    pub took: Duration,
    budget: Budget,
}

/// A trace of a trial.
pub struct Sample {
    pub index: u64,
    pub origin: Arc<Origin>,
    pub trace: Trace,
}

/// Returns the name and text of the file in which the library has a scenario.
pub fn origin<'a>(shelf: &'a Shelf, scenario: &str) -> Option<(&'a str, &'a str)> {
    let plan = &shelf.good.plan;
    let id = (0..plan.scenarios.len()).find(|s| plan.text(plan.scenarios[*s].name) == scenario)?;
    let (_, file) = shelf.good.file_of(ScenarioId(id as u32))?;
    Some((&file.name, &file.text))
}

/// Compiles a text that replaces the file in which the library has the scenario `replaces`, or that is new. It is compiled
/// alone with the services of its directory, or with the whole library if it links to a scenario of another file. If the
/// budget runs out, a diagnostic says so.
pub fn compile(shelf: &Shelf, replaces: Option<&str>, text: &str, budget: Budget) -> Trial {
    let began = Instant::now();
    let library: Vec<(&str, &str)> = match &shelf.good.sources {
        Some(sources) => {
            let files = sources.files().filter(|(_, file)| file.name != FILE);
            files.map(|(_, file)| (file.name.as_str(), file.text.as_str())).collect()
        }
        None => vec![],
    };
    let bases: Vec<_> = library.iter().filter(|(name, _)| is_base(name)).collect();
    let name = match replaces.and_then(|replaces| origin(shelf, replaces)) {
        Some((name, _)) => name.to_string(),
        None => bases.first().map_or(NAME.into(), |(base, _)| base.replace(BASE, NAME)),
    };
    let base = bases.iter().find(|(base, _)| directory(base) == directory(&name)).map(|base| **base);
    let (mut sources, mut compiled) = with(base.as_slice(), &name, text, &budget);
    let links = |d: &Diagnostic| matches!(d.problem, Problem::GlobMatchesNothing { .. });
    if compiled.diagnostics.iter().any(links) {
        let others: Vec<_> = library.into_iter().filter(|(other, _)| *other != name).collect();
        (sources, compiled) = with(&others, &name, text, &budget);
    }
    let file = sources.files().find(|(_, file)| file.name == name).map_or(FileId(0), |(id, _)| id);
    let Compiled { plan, diagnostics, map } = compiled;
    let is_own = |id: &ScenarioId| map.find(Place::Scenario(*id)).is_some_and(|at| at.file == file);
    let own = plan.iter().flat_map(|plan| (0..plan.scenarios.len()).map(|s| ScenarioId(s as u32)));
    let own = own.filter(is_own).collect();
    Trial { file, diagnostics, own, plan: plan.map(Arc::new), sources, took: began.elapsed(), budget }
}

/// Compiles a text together with other files. A scenario of another file with the same name as one in the text is left out,
/// because the text replaces it.
fn with(files: &[(&str, &str)], name: &str, text: &str, budget: &Budget) -> (Sources, Compiled) {
    let files = files.iter().copied().chain([(name, text)]);
    let files = files.map(|(name, text)| (name.to_string(), text.to_string())).collect();
    let mut loaded = language::load_texts_within(files, budget.clone());
    let own = loaded.sources.files().find(|(_, file)| file.name == name).map(|(id, _)| id);
    let is_own = |scenario: &Scenario| Some(scenario.loc.file) == own;
    let scenarios = &mut loaded.model.scenarios;
    let names: BTreeSet<String> = scenarios.iter().filter(|s| is_own(s)).map(|s| s.name.value.clone()).collect();
    scenarios.retain(|scenario| is_own(scenario) || !names.contains(&scenario.name.value));
    compiler::compile_loaded(loaded)
}

fn is_base(name: &str) -> bool {
    name.rsplit('/').next() == Some(BASE)
}

fn directory(name: &str) -> &str {
    name.rfind('/').map_or("", |at| &name[..at])
}

impl Trial {
    /// Returns the first trace from `index` on that belongs to a scenario of the text, or `None` if nothing compiled, or if
    /// none was found before the budget was spent because its weight is so small.
    pub fn sample(&self, seed: u64, index: Option<u64>) -> Option<Sample> {
        let plan = self.plan.as_ref()?;
        let schedule = Schedule::new(START, PACE).ok()?;
        let run = Arc::new(Run::new(plan.clone(), seed, schedule));
        let mut interpreter = Interpreter::new(&run);
        let first = index.unwrap_or(if plan.links.is_empty() { 0 } else { WITH_LINKS });
        let mut indices = (first..first.checked_add(MAX_TRIES)?).take_while(|_| !self.budget.is_spent());
        let index = indices.find(|i| self.own.contains(&run.scenario(*i)))?;
        let mut trace = Trace::default();
        interpreter.trace(index, &mut trace);
        Some(Sample { index, origin: run.origin().clone(), trace })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::library::{Edition, Library};
    use std::path::Path;

    fn shelf() -> Arc<Shelf> {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
        let (sources, compiled) = compiler::compile_loaded(language::load(std::slice::from_ref(&path)));
        let edition = Edition {
            sources: Some(Arc::new(sources)),
            plan: Arc::new(compiled.plan.unwrap()),
            map: Arc::new(compiled.map),
            warnings: Arc::default(),
        };
        Library::new(vec![path], edition, 0).shelf()
    }

    fn compile(shelf: &Shelf, replaces: Option<&str>, text: &str) -> Trial {
        super::compile(shelf, replaces, text, Budget::default())
    }

    #[tokio::test]
    async fn a_compilation_that_nobody_waits_for_is_cancelled() {
        let (tell, told) = std::sync::mpsc::channel();
        let work = move |budget: Budget| {
            let begun = Instant::now();
            while !budget.is_spent() && begun.elapsed() < 10 * DEADLINE {
                std::thread::sleep(Duration::from_millis(1));
            }
            tell.send((begun.elapsed(), budget.overrun().is_some())).unwrap();
        };
        assert!(timeout(DEADLINE / 10, in_turn(work)).await.is_err(), "it was not waited for");
        let (took, overrun) = told.recv().unwrap();
        assert!(took < DEADLINE && !overrun, "{took:?}");
    }

    #[test]
    fn a_text_that_takes_too_long_gets_a_diagnostic() {
        let trial = super::compile(&shelf(), None, "name: x", Budget::lasting(Duration::ZERO));
        assert!(trial.plan.is_none() && trial.sample(42, None).is_none());
        assert!(
            matches!(trial.diagnostics[..], [Diagnostic { problem: Problem::Stopped { .. }, .. }]),
            "{:?}",
            trial.diagnostics
        );
    }

    #[test]
    fn every_shipped_scenario_can_be_tried_out() {
        let shelf = shelf();
        for scenario in &shelf.good.plan.scenarios {
            let name = shelf.good.plan.text(scenario.name);
            let (_, text) = origin(&shelf, name).unwrap();
            let trial = compile(&shelf, Some(name), text);
            assert!(trial.diagnostics.is_empty(), "{name}: {:?}", trial.diagnostics);
            let plan = trial.plan.as_ref().unwrap();
            assert!(trial.own.iter().any(|id| plan.text(plan.scenarios[id.index()].name) == name));
            let sample = trial.sample(42, None).unwrap();
            assert!(trial.own.contains(&sample.trace.scenario));
            let next = trial.sample(42, Some(sample.index + 1)).unwrap();
            assert!(next.index > sample.index && next.trace.id != sample.trace.id);
        }
    }

    #[test]
    fn the_consumer_finds_the_producers_of_the_library() {
        let shelf = shelf();
        let (_, text) = origin(&shelf, "Async consumer").unwrap();
        let sample = compile(&shelf, Some("Async consumer"), text).sample(42, None).unwrap();
        assert!(!sample.trace.links.is_empty());
    }

    /// It works even if the request does not say which scenario of the library is replaced.
    #[test]
    fn a_text_replaces_the_scenario_of_its_name() {
        let shelf = shelf();
        let (_, text) = origin(&shelf, "Async consumer").unwrap();
        let trial = compile(&shelf, None, text);
        assert!(trial.diagnostics.is_empty(), "{:?}", trial.diagnostics);
        let sample = trial.sample(42, None).unwrap();
        assert!(!sample.trace.links.is_empty() && trial.own.contains(&sample.trace.scenario));
    }

    #[test]
    fn the_services_of_the_library_are_in_scope() {
        let text = "name: x\nroot_span: {service: no-such-service, operation: o}";
        let trial = compile(&shelf(), None, text);
        assert!(trial.plan.is_none() && trial.sample(42, None).is_none());
        assert!(matches!(trial.diagnostics[0].problem, Problem::UnknownService { .. }));
    }

    #[test]
    fn hostile_texts_are_answered_with_a_diagnostic() {
        let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x]\n");
        for i in 1..20 {
            bomb += &format!("a{i}: &a{i} [{}]\n", vec![format!("*a{}", i - 1); 9].join(", "));
        }
        let texts =
            ["[".repeat(1 << 20), "{".repeat(1 << 20), "- ".repeat(1 << 19), "a\0b".into(), bomb, String::new()];
        for text in texts {
            let trial = compile(&shelf(), None, &text);
            assert!(trial.plan.is_none() && !trial.diagnostics.is_empty());
        }
    }
}
