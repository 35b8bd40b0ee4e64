//! The library of scenario files. They are watched and compiled again when they change; the last version that compiled
//! stays in use. What people change in the UI is compiled together with them.

pub mod changes;

use crate::compiler::{self, Compiled, SourceMap};
use crate::language;
use crate::language::diagnostic::{Diagnostic, Problem, Severity};
use crate::language::files::Fingerprint;
use crate::language::source::{FileId, SourceFile, Sources};
use crate::plan::{Place, Plan, ScenarioId};
use changes::{Changes, Condition, Refusal};
use parking_lot::{Mutex, RwLock};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

/// The scenario files of the server.
pub struct Library {
    paths: Vec<PathBuf>,
    /// The start of the run, from which the windows of incidents are counted, in ns since 1970.
    start: u64,
    shelf: RwLock<Arc<Shelf>>,
    /// The changes; their lock is held while plans are compiled and put into use, so that they follow each other.
    changes: Mutex<Changes>,
    /// The fingerprint of the files when they were last read.
    seen: Mutex<Fingerprint>,
}

/// The result of a compilation.
pub struct Shelf {
    /// The last version that compiled.
    pub good: Edition,
    /// The current files with their diagnostics, if they do not compile.
    pub broken: Option<(Sources, Vec<Diagnostic>)>,
    /// The changes that are in use.
    pub changes: Changes,
    /// The chances in the files of the error conditions that are changed, 0 to 1.
    pub in_files: BTreeMap<Condition, f64>,
}

/// Files and their plan.
#[derive(Clone)]
pub struct Edition {
    /// The sources; `None` if a plan file was given.
    pub sources: Option<Arc<Sources>>,
    pub plan: Arc<Plan>,
    pub map: Arc<SourceMap>,
    pub warnings: Arc<Vec<Diagnostic>>,
}

impl Edition {
    /// Returns the file that contains a scenario, or `None` if it came in a plan file.
    pub fn file_of(&self, scenario: ScenarioId) -> Option<(FileId, &SourceFile)> {
        let at = self.map.find(Place::Scenario(scenario))?;
        Some((at.file, self.sources.as_ref()?.file(at.file)))
    }
}

/// The reason why files and changes make no plan.
enum Unusable {
    Broken(Sources, Vec<Diagnostic>),
    Refused(Refusal),
}

impl Library {
    /// Makes a library of files that have been compiled, for a run that starts at `start`, in ns since 1970.
    pub fn new(paths: Vec<PathBuf>, edition: Edition, start: u64) -> Library {
        let seen = Mutex::new(Fingerprint::of(&paths));
        let shelf = Shelf { good: edition, broken: None, changes: Changes::default(), in_files: BTreeMap::new() };
        Library { paths, start, shelf: RwLock::new(Arc::new(shelf)), changes: Mutex::default(), seen }
    }

    pub fn shelf(&self) -> Arc<Shelf> {
        self.shelf.read().clone()
    }

    /// Compiles the files again if they have changed since they were last read, or if an incident that was started is over at
    /// `now`, in ns since 1970, and passes another plan to `put_in_use`. A plan file does not change.
    pub fn poll(&self, now: u64, put_in_use: impl FnOnce(Arc<Plan>)) -> Change {
        let mut changes = self.changes.lock();
        let good = self.shelf().good.clone();
        if good.sources.is_none() {
            return Change::None;
        }
        // The fingerprint is taken before reading, so that a change in between is noticed next time.
        let files = Fingerprint::of(&self.paths);
        let is_over = changes.expire(now, &good.plan);
        let mut seen = self.seen.lock();
        let is_other = *seen != files;
        *seen = files;
        drop(seen);
        if !is_over && !is_other {
            return Change::None;
        }
        let mut lost = vec![];
        let mut made = self.compile(&changes);
        if made.is_err() && !changes.is_empty() && self.compile(&Changes::default()).is_ok() {
            // The files no longer have what is changed.
            lost = changes.keep_those(|changes| self.compile(changes).is_ok(), now, &good.plan);
            made = self.compile(&changes);
        }
        let (edition, in_files) = match made {
            Ok(made) => made,
            Err(Unusable::Refused(_)) => {
                changes.forget_chances();
                match self.compile(&changes) {
                    Ok(made) => made,
                    Err(_) => return Change::None,
                }
            }
            Err(Unusable::Broken(sources, diagnostics)) => {
                let errors = diagnostics.iter().filter(|d| d.severity() == Severity::Error).count();
                let in_files = self.shelf().in_files.clone();
                let broken = Some((sources, diagnostics));
                *self.shelf.write() = Arc::new(Shelf { good, broken, changes: changes.clone(), in_files });
                return Change::Broken { errors };
            }
        };
        let (plan, same) = (edition.plan.clone(), edition.plan.digest() == good.plan.digest());
        self.put(edition, in_files, &changes);
        if !same {
            put_in_use(plan.clone());
        }
        if is_other { Change::Compiled { plan, same, lost } } else { Change::Over { lost } }
    }

    /// Changes what is on top of the files, and passes the plan to `put_in_use`.
    ///
    /// # Errors
    /// `change` refuses it; the scenarios came in a plan file; the files do not compile now, or not with the change. Nothing is
    /// changed then.
    pub fn change(
        &self,
        now: u64,
        change: impl FnOnce(&mut Changes, &Plan) -> Result<(), Refusal>,
        put_in_use: impl FnOnce(Arc<Plan>),
    ) -> Result<(), Refusal> {
        let mut changes = self.changes.lock();
        let shelf = self.shelf();
        if shelf.good.sources.is_none() {
            let problem = "The scenarios came in a plan file, which can't be changed: serve the scenario files.";
            return Err(Refusal::conflict(problem));
        }
        let mut wanted = changes.clone();
        wanted.expire(now, &shelf.good.plan);
        change(&mut wanted, &shelf.good.plan)?;
        let (edition, in_files) = self.compile(&wanted).map_err(|unusable| match unusable {
            Unusable::Refused(refusal) => refusal,
            Unusable::Broken(sources, diagnostics) => refusal(&sources, &diagnostics),
        })?;
        let plan = edition.plan.clone();
        self.put(edition, in_files, &wanted);
        *changes = wanted;
        put_in_use(plan);
        Ok(())
    }

    fn put(&self, good: Edition, in_files: BTreeMap<Condition, f64>, changes: &Changes) {
        *self.shelf.write() = Arc::new(Shelf { good, broken: None, changes: changes.clone(), in_files });
    }

    /// Compiles the files with the changes. Returns the chances in the files of the error conditions that are changed, too.
    fn compile(&self, changes: &Changes) -> Result<(Edition, BTreeMap<Condition, f64>), Unusable> {
        let mut loaded = match changes.file(self.start) {
            Some(text) => language::load_with(&self.paths, changes::FILE, text),
            None => language::load(&self.paths),
        };
        changes.apply(&mut loaded.model, self.start);
        let (sources, Compiled { plan, diagnostics, map, .. }) = compiler::compile_loaded(loaded);
        let Some(plan) = plan else { return Err(Unusable::Broken(sources, diagnostics)) };
        let (plan, in_files) = changes.with_chances(plan).map_err(Unusable::Refused)?;
        let (sources, map, warnings) = (Some(Arc::new(sources)), Arc::new(map), Arc::new(diagnostics));
        Ok((Edition { sources, plan: Arc::new(plan), map, warnings }, in_files))
    }
}

/// Returns the refusal of a change with which the files do not compile.
fn refusal(sources: &Sources, diagnostics: &[Diagnostic]) -> Refusal {
    let errors = || diagnostics.iter().filter(|d| d.severity() == Severity::Error);
    let is_own = |d: &&Diagnostic| sources.file(d.at.file).name == changes::FILE;
    let Some(error) = errors().find(is_own) else {
        return Refusal::conflict("The scenario files do not compile: mend them first.");
    };
    let field = match &error.problem {
        Problem::SelectsNothing { field, .. } => field,
        Problem::RootDown { .. } => "down",
        Problem::DuplicateIncident { .. } => "name",
        _ => "",
    };
    let help = error.problem.help().map(|help| format!(": {help}")).unwrap_or_default();
    let mut message = format!("{}{help}.", error.problem.message());
    if let Some(first) = message.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    Refusal::of(field, message)
}

/// The result of a poll.
#[derive(Debug)]
pub enum Change {
    None,
    /// The files compile; `same` if the plan is unchanged. The incidents in `lost`, which were started, are over because they
    /// no longer fit the files.
    Compiled {
        plan: Arc<Plan>,
        same: bool,
        lost: Vec<String>,
    },
    /// The files did not change, but incidents that were started are over.
    Over {
        lost: Vec<String>,
    },
    /// The files do not compile, and the previous plan stays in use.
    Broken {
        errors: usize,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    const GOOD: &str = "name: a\nroot_span: {service: web, operation: get}\n";

    #[test]
    fn files_are_followed_and_the_last_good_plan_stays() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
        write("_base.yaml", "schema_version: 1\nservices: [web, db]\n");
        write("a.yaml", GOOD);
        let paths = vec![folder.path().to_path_buf()];
        let (sources, compiled) = compiler::compile_loaded(language::load(&paths));
        let edition = Edition {
            sources: Some(Arc::new(sources)),
            plan: Arc::new(compiled.plan.unwrap()),
            map: Arc::new(compiled.map),
            warnings: Arc::default(),
        };
        let first = edition.plan.digest();
        let library = Library::new(paths, edition, 0);
        assert!(matches!(library.poll(0, |_| ()), Change::None));

        write("a.yaml", &GOOD.replace("get", "<<nobody>>"));
        assert!(matches!(library.poll(0, |_| ()), Change::Broken { errors: 1 }));
        assert_eq!(library.shelf().good.plan.digest(), first);
        assert!(library.shelf().broken.is_some());
        assert!(matches!(library.poll(0, |_| ()), Change::None));

        write("a.yaml", &GOOD.replace("get", "a longer one"));
        assert!(matches!(library.poll(0, |_| ()), Change::Compiled { same: false, .. }));
        assert!(library.shelf().broken.is_none());

        write("a.yaml", &format!("# the first again\n{GOOD}"));
        assert!(matches!(library.poll(0, |_| ()), Change::Compiled { same: false, .. }));
        write("a.yaml", &format!("# a comment changes no plan\n{GOOD}"));
        assert!(matches!(library.poll(0, |_| ()), Change::Compiled { same: true, .. }));
        assert_eq!(library.shelf().good.plan.digest(), first);

        write("b.yaml", &GOOD.replace("name: a", "name: b"));
        assert!(matches!(library.poll(0, |_| ()), Change::Compiled { plan, .. } if plan.scenarios.len() == 2));
        fs::remove_file(folder.path().join("a.yaml")).unwrap();
        assert!(matches!(library.poll(0, |_| ()), Change::Compiled { plan, .. } if plan.scenarios.len() == 1));
        fs::remove_dir_all(folder.path()).unwrap();
        assert!(matches!(library.poll(0, |_| ()), Change::Broken { .. }));
    }
}
