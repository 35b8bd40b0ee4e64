//! Collects what the compiler finds.

use crate::language::MAX_FOUND;
use crate::language::diagnostic::{self, Diagnostic, Problem, Role, Severity};
use crate::language::source::Loc;
use crate::plan::Fault;

/// Searches for a similar name after which no more are made, so that a broken file of any size stays cheap.
const MOST_SUGGESTIONS: u32 = 200;

#[derive(Default)]
pub struct Report {
    diagnostics: Vec<Diagnostic>,
    suggestions: u32,
    /// There is an error, here or before.
    failed: bool,
    full: bool,
}

impl Report {
    pub fn add(&mut self, problem: Problem, at: Loc) {
        self.push(Diagnostic::new(problem, at));
    }

    /// Adds a problem with the places that have this role in it.
    pub fn add_related(&mut self, problem: Problem, at: Loc, role: Role, places: impl IntoIterator<Item = Loc>) {
        let diagnostic = Diagnostic::new(problem, at);
        self.push(places.into_iter().fold(diagnostic, |diagnostic, at| diagnostic.related(role, at)));
    }

    fn push(&mut self, diagnostic: Diagnostic) {
        self.failed |= diagnostic.severity() == Severity::Error;
        // Far more than will be shown.
        if self.diagnostics.len() < MAX_FOUND {
            self.diagnostics.push(diagnostic);
        }
    }

    /// What another found; its suggestions don't count.
    pub fn append(&mut self, mut other: Report) {
        self.diagnostics.append(&mut other.diagnostics);
        self.failed |= other.failed;
    }

    /// The candidate most like `name`, if one is alike enough to be what was meant. To one letter, any other is.
    pub fn nearest<'a>(&mut self, name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<String> {
        self.suggestions += 1;
        if self.suggestions > MOST_SUGGESTIONS || name.len() < 2 {
            return None;
        }
        diagnostic::nearest(name, candidates)
    }

    /// Something is missing that was wrong and reported before the compiler saw it.
    pub fn poison(&mut self) {
        self.failed = true;
    }

    /// The program grew beyond a limit at this place. Said once: what follows is made of the same.
    pub fn beyond(&mut self, fault: &Fault, at: Loc) {
        if !self.full {
            self.add(Problem::BeyondLimits { fault: fault.to_string() }, at);
        }
        self.full = true;
    }

    /// Whether the program grew beyond a limit, so that there is no use in going on.
    pub fn is_full(&self) -> bool {
        self.full
    }

    pub fn failed(&self) -> bool {
        self.failed
    }

    /// In file order; what was found at one place more than once (a base file is read for every file beside it), once.
    pub fn finish(mut self) -> Vec<Diagnostic> {
        self.diagnostics.sort_by_key(|d| (d.at, d.problem.code()));
        self.diagnostics.dedup();
        self.diagnostics
    }
}
