//! Collects what the compiler finds.

use crate::language::diagnostic::{Diagnostic, Problem, Severity};
use crate::language::source::Loc;

/// Searches for a similar name after which no more are made, so that a broken file of any size stays cheap.
const MOST_SUGGESTIONS: u32 = 200;
/// Names one search looks at.
const MOST_CANDIDATES: usize = 2_000;

#[derive(Default)]
pub struct Report {
    diagnostics: Vec<Diagnostic>,
    suggestions: u32,
}

impl Report {
    pub fn add(&mut self, problem: Problem, at: Loc) {
        self.diagnostics.push(Diagnostic::new(problem, at));
    }

    pub fn add_related(&mut self, problem: Problem, at: Loc, related: impl IntoIterator<Item = Loc>) {
        self.diagnostics.push(Diagnostic { problem, at, related: related.into_iter().collect() });
    }

    /// The candidate most like `name`, if one is alike enough to be what was meant.
    pub fn nearest<'a>(&mut self, name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<String> {
        self.suggestions += 1;
        if self.suggestions > MOST_SUGGESTIONS {
            return None;
        }
        let limit = 1 + name.chars().count() / 4;
        candidates
            .into_iter()
            .take(MOST_CANDIDATES)
            .filter(|candidate| candidate.len().abs_diff(name.len()) <= 4 * limit && candidate.len() < 200)
            .map(|candidate| (strsim::damerau_levenshtein(name, candidate), candidate))
            .filter(|(distance, _)| *distance <= limit)
            .min_by_key(|(distance, _)| *distance)
            .map(|(_, candidate)| candidate.to_owned())
    }

    pub fn has_errors(&self) -> bool {
        self.diagnostics.iter().any(|d| d.severity() == Severity::Error)
    }

    /// In file order; what was found at one place more than once (a base file is read for every file beside it), once.
    pub fn finish(mut self) -> Vec<Diagnostic> {
        self.diagnostics.sort_by_key(|d| (d.at, d.problem.code()));
        self.diagnostics.dedup();
        self.diagnostics
    }
}
