//! Collects what the compiler finds.

use crate::language::MAX_FOUND;
use crate::language::diagnostic::{self, Diagnostic, Problem, Role, Severity};
use crate::language::source::{Loc, PRELUDE};
use crate::plan::Fault;

/// Searches for a similar name after which no more are made, so that a broken file of any size stays cheap.
const MOST_SUGGESTIONS: u32 = 200;

/// Things that are said not to be used: warnings alone must not fill the list of mistakes.
const MOST_UNUSED: u32 = 100;

/// A shared span, and a place at which it is used.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct UsedAt {
    /// The mapping of its definition.
    pub definition: Loc,
    pub place: Loc,
}

#[derive(Default)]
pub struct Report {
    diagnostics: Vec<Diagnostic>,
    /// The shared spans that are being looked at, each behind the one that it is used in.
    uses: Vec<UsedAt>,
    suggestions: u32,
    unused: u32,
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

    /// Tells that what comes next is in these shared spans, each behind the one that it is used in.
    pub fn enter(&mut self, uses: Vec<UsedAt>) {
        self.uses = uses;
    }

    /// What is wrong in a shared span is so for the places that use it. The prelude is nobody's to change: there, the mistake is
    /// the place's.
    fn push(&mut self, mut diagnostic: Diagnostic) {
        if let Some(last) = self.uses.iter().rposition(|used| used.definition.contains(diagnostic.at)) {
            let written = diagnostic.at;
            let places = self.uses[..=last].iter().rev().map(|used| used.place);
            let mut places = places.skip_while(|place| written.file == PRELUDE && place.file == PRELUDE);
            if written.file == PRELUDE
                && let Some(place) = places.next()
            {
                diagnostic.at = place;
                diagnostic = diagnostic.related(Role::Definition, written);
            }
            diagnostic = places.fold(diagnostic, |diagnostic, place| diagnostic.related(Role::Use, place));
        }
        self.failed |= diagnostic.severity() == Severity::Error;
        // Far more than will be shown.
        if self.diagnostics.len() < MAX_FOUND {
            self.diagnostics.push(diagnostic);
        }
    }

    /// Adds that something is not used, unless that was said of very many things.
    pub fn add_unused(&mut self, problem: Problem, at: Loc) {
        self.unused += 1;
        if self.unused <= MOST_UNUSED {
            self.add(problem, at);
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

    /// In file order; what was found at one place more than once (a base file is read for every file beside it, a shared span for
    /// every use), once.
    pub fn finish(mut self) -> Vec<Diagnostic> {
        self.diagnostics.sort_by_key(|d| (d.at, d.problem.code()));
        let mut kept: Vec<Diagnostic> = Vec::with_capacity(self.diagnostics.len());
        for found in self.diagnostics {
            let mut same_place = kept.iter().rev().take_while(|other| other.at == found.at);
            if !same_place.any(|other| other.problem == found.problem) {
                kept.push(found);
            }
        }
        kept
    }
}
