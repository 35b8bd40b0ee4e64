//! The library of scenario files. They are watched and compiled again when they change; the last version that compiled
//! stays in use.

use crate::compiler::{self, Compiled, SourceMap};
use crate::language;
use crate::language::diagnostic::{Diagnostic, Severity};
use crate::language::files::Fingerprint;
use crate::language::source::{FileId, SourceFile, Sources};
use crate::plan::{Place, Plan, ScenarioId};
use parking_lot::{Mutex, RwLock};
use std::path::PathBuf;
use std::sync::Arc;

/// The scenario files of the server.
pub struct Library {
    paths: Vec<PathBuf>,
    shelf: RwLock<Arc<Shelf>>,
    /// The fingerprint of the files when they were last read.
    seen: Mutex<Fingerprint>,
}

/// The result of a compilation.
pub struct Shelf {
    /// The last version that compiled.
    pub good: Edition,
    /// The current files with their diagnostics, if they do not compile.
    pub broken: Option<(Sources, Vec<Diagnostic>)>,
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

impl Library {
    /// Makes a library of files that have been compiled.
    pub fn new(paths: Vec<PathBuf>, edition: Edition) -> Library {
        let seen = Mutex::new(Fingerprint::of(&paths));
        Library { paths, shelf: RwLock::new(Arc::new(Shelf { good: edition, broken: None })), seen }
    }

    pub fn shelf(&self) -> Arc<Shelf> {
        self.shelf.read().clone()
    }

    /// Compiles the files again if they have changed since they were last read. A plan file does not change.
    pub fn poll(&self) -> Change {
        if self.shelf().good.sources.is_none() {
            return Change::None;
        }
        // The fingerprint is taken before reading, so that a change in between is noticed next time.
        let now = Fingerprint::of(&self.paths);
        let mut seen = self.seen.lock();
        if *seen == now {
            return Change::None;
        }
        *seen = now;
        self.compile()
    }

    fn compile(&self) -> Change {
        let good = self.shelf().good.clone();
        let (sources, Compiled { plan, diagnostics, map, .. }) = compiler::compile_loaded(language::load(&self.paths));
        let (shelf, change) = match plan {
            Some(plan) => {
                let plan = Arc::new(plan);
                let change = Change::Compiled { plan: plan.clone(), same: plan.digest() == good.plan.digest() };
                let (sources, map, warnings) = (Some(Arc::new(sources)), Arc::new(map), Arc::new(diagnostics));
                (Shelf { good: Edition { sources, plan, map, warnings }, broken: None }, change)
            }
            None => {
                let errors = diagnostics.iter().filter(|d| d.severity() == Severity::Error).count();
                (Shelf { good, broken: Some((sources, diagnostics)) }, Change::Broken { errors })
            }
        };
        *self.shelf.write() = Arc::new(shelf);
        change
    }
}

/// The result of a poll.
#[derive(Debug)]
pub enum Change {
    None,
    /// The files compile; `same` if the plan is unchanged.
    Compiled {
        plan: Arc<Plan>,
        same: bool,
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
        let library = Library::new(paths, edition);
        assert!(matches!(library.poll(), Change::None));

        write("a.yaml", &GOOD.replace("get", "<<nobody>>"));
        assert!(matches!(library.poll(), Change::Broken { errors: 1 }));
        assert_eq!(library.shelf().good.plan.digest(), first);
        assert!(library.shelf().broken.is_some());
        assert!(matches!(library.poll(), Change::None));

        write("a.yaml", &GOOD.replace("get", "a longer one"));
        assert!(matches!(library.poll(), Change::Compiled { same: false, .. }));
        assert!(library.shelf().broken.is_none());

        write("a.yaml", &format!("# the first again\n{GOOD}"));
        assert!(matches!(library.poll(), Change::Compiled { same: false, .. }));
        write("a.yaml", &format!("# a comment changes no plan\n{GOOD}"));
        assert!(matches!(library.poll(), Change::Compiled { same: true, .. }));
        assert_eq!(library.shelf().good.plan.digest(), first);

        write("b.yaml", &GOOD.replace("name: a", "name: b"));
        assert!(matches!(library.poll(), Change::Compiled { plan, .. } if plan.scenarios.len() == 2));
        fs::remove_file(folder.path().join("a.yaml")).unwrap();
        assert!(matches!(library.poll(), Change::Compiled { plan, .. } if plan.scenarios.len() == 1));
        fs::remove_dir_all(folder.path()).unwrap();
        assert!(matches!(library.poll(), Change::Broken { .. }));
    }
}
