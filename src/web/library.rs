//! The scenario files as they are: watched, compiled again when they change; the last that compiled stays in use.

use crate::compiler::{self, Compiled, SourceMap};
use crate::language;
use crate::language::diagnostic::Diagnostic;
use crate::language::source::Sources;
use crate::plan::Plan;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};

pub struct Library {
    paths: Vec<PathBuf>,
    shelf: RwLock<Arc<Shelf>>,
}

/// What a compilation gave.
pub struct Shelf {
    /// The last that compiled.
    pub good: Edition,
    /// The files as they are now, where they do not compile: with what is wrong.
    pub broken: Option<(Sources, Vec<Diagnostic>)>,
}

/// Files and the plan they gave.
#[derive(Clone)]
pub struct Edition {
    /// `None`: a plan file was given, there is no source.
    pub sources: Option<Arc<Sources>>,
    pub plan: Arc<Plan>,
    pub map: Arc<SourceMap>,
    pub warnings: Arc<Vec<Diagnostic>>,
}

impl Library {
    /// Files that have been compiled.
    pub fn new(paths: Vec<PathBuf>, edition: Edition) -> Library {
        Library { paths, shelf: RwLock::new(Arc::new(Shelf { good: edition, broken: None })) }
    }

    pub fn shelf(&self) -> Arc<Shelf> {
        self.shelf.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Read and compile the files again; the new plan, if they gave another one.
    pub fn refresh(&self) -> Option<Arc<Plan>> {
        let before = self.shelf();
        let (sources, Compiled { plan, diagnostics, map, .. }) = compiler::compile_loaded(language::load(&self.paths));
        let (shelf, changed) = match plan {
            Some(plan) => {
                let changed = plan.digest() != before.good.plan.digest();
                let plan = Arc::new(plan);
                let good = Edition {
                    sources: Some(Arc::new(sources)),
                    plan: plan.clone(),
                    map: Arc::new(map),
                    warnings: Arc::new(diagnostics),
                };
                (Shelf { good, broken: None }, changed.then_some(plan))
            }
            None => (Shelf { good: before.good.clone(), broken: Some((sources, diagnostics)) }, None),
        };
        *self.shelf.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(shelf);
        changed
    }
}
