//! Diagnostics: what is wrong, where, and what would help.
//!
//! [`Problem`] is the mistake as data; `wording` has every sentence; `render` shows them (human, JSON, GitHub, SARIF).

mod problem;
mod wording;

pub use problem::Problem;

use super::source::Loc;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    Error,
    Warning,
}

/// One mistake at one place.
#[derive(Clone, Debug, PartialEq)]
pub struct Diagnostic {
    pub problem: Problem,
    pub at: Loc,
    /// Other places that have to do with it ("first defined here"); the wording goes by the problem.
    pub related: Vec<Loc>,
}

impl Diagnostic {
    pub fn new(problem: Problem, at: Loc) -> Self {
        Diagnostic { problem, at, related: vec![] }
    }

    pub fn related(mut self, loc: Loc) -> Self {
        self.related.push(loc);
        self
    }

    pub fn severity(&self) -> Severity {
        if self.problem.code().starts_with('W') { Severity::Warning } else { Severity::Error }
    }
}
