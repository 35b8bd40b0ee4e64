//! Collects what the compiler finds.

use crate::language::diagnostic::{self, Diagnostic, Problem, Role, Severity};
use crate::language::source::Loc;

/// Searches for a similar name after which no more are made, so that a broken file of any size stays cheap.
const MOST_SUGGESTIONS: u32 = 200;
/// Names one search looks at.
const MOST_CANDIDATES: usize = 2_000;

#[derive(Default)]
pub struct Report {
    diagnostics: Vec<Diagnostic>,
    suggestions: u32,
    poisoned: bool,
}

impl Report {
    pub fn add(&mut self, problem: Problem, at: Loc) {
        self.diagnostics.push(Diagnostic::new(problem, at));
    }

    /// Adds a problem with the places that have this role in it.
    pub fn add_related(&mut self, problem: Problem, at: Loc, role: Role, places: impl IntoIterator<Item = Loc>) {
        let diagnostic = Diagnostic::new(problem, at);
        self.diagnostics.push(places.into_iter().fold(diagnostic, |diagnostic, at| diagnostic.related(role, at)));
    }

    /// What another found; its suggestions don't count.
    pub fn append(&mut self, mut other: Report) {
        self.diagnostics.append(&mut other.diagnostics);
        self.poisoned |= other.poisoned;
    }

    /// The candidate most like `name`, if one is alike enough to be what was meant. To one letter, any other is.
    pub fn nearest<'a>(&mut self, name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<String> {
        self.suggestions += 1;
        if self.suggestions > MOST_SUGGESTIONS || name.len() < 2 {
            return None;
        }
        diagnostic::nearest(name, candidates.into_iter().take(MOST_CANDIDATES))
    }

    /// Something is missing that was wrong and reported before the compiler saw it.
    pub fn poison(&mut self) {
        self.poisoned = true;
    }

    pub fn failed(&self) -> bool {
        self.poisoned || self.diagnostics.iter().any(|d| d.severity() == Severity::Error)
    }

    /// In file order; what was found at one place more than once (a base file is read for every file beside it), once.
    pub fn finish(mut self) -> Vec<Diagnostic> {
        self.diagnostics.sort_by_key(|d| (d.at, d.problem.code()));
        self.diagnostics.dedup();
        self.diagnostics
    }
}
