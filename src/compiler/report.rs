//! The collection of the compiler's diagnostics.

use crate::language::MAX_FOUND;
use crate::language::diagnostic::{self, Diagnostic, Problem, Role, Severity};
use crate::language::source::{Loc, PRELUDE};
use crate::plan::Fault;

/// The maximum number of searches for a similar name, so that a broken file of any size takes limited time.
const MOST_SUGGESTIONS: u32 = 200;

/// The maximum number of reports about unused parts, so that warnings alone don't fill the list of diagnostics.
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
    /// The shared spans that are being checked, each after the one in which it is used.
    uses: Vec<UsedAt>,
    suggestions: u32,
    unused: u32,
    /// Whether there is an error, here or before.
    failed: bool,
    full: bool,
}

impl Report {
    pub fn add(&mut self, problem: Problem, at: Loc) {
        self.push(Diagnostic::new(problem, at));
    }

    /// Adds a problem with related places of this role.
    pub fn add_related(&mut self, problem: Problem, at: Loc, role: Role, places: impl IntoIterator<Item = Loc>) {
        let diagnostic = Diagnostic::new(problem, at);
        self.push(places.into_iter().fold(diagnostic, |diagnostic, at| diagnostic.related(role, at)));
    }

    /// Says that what follows is in these shared spans, each after the one in which it is used.
    pub fn enter(&mut self, uses: Vec<UsedAt>) {
        self.uses = uses;
    }

    /// Adds a diagnostic. A mistake in a shared span is related to the places that use it. Users can't change the prelude,
    /// so a mistake in it is reported at the place of the use.
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
        // This is far more than is shown.
        if self.diagnostics.len() < MAX_FOUND {
            self.diagnostics.push(diagnostic);
        }
    }

    /// Adds a report about an unused part, unless there are very many of them.
    pub fn add_unused(&mut self, problem: Problem, at: Loc) {
        self.unused += 1;
        if self.unused <= MOST_UNUSED {
            self.add(problem, at);
        }
    }

    /// Adds the diagnostics of another report; its suggestions don't count.
    pub fn append(&mut self, mut other: Report) {
        self.diagnostics.append(&mut other.diagnostics);
        self.failed |= other.failed;
    }

    /// Returns the candidate most similar to `name`, if it is similar enough to be meant. Any candidate is similar enough
    /// to a single letter.
    pub fn nearest<'a>(&mut self, name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<String> {
        self.suggestions += 1;
        if self.suggestions > MOST_SUGGESTIONS || name.len() < 2 {
            return None;
        }
        diagnostic::nearest(name, candidates)
    }

    /// Says that something is missing because of a mistake that was reported before compiling.
    pub fn poison(&mut self) {
        self.failed = true;
    }

    /// Reports that the program has grown beyond a limit at this place. It is reported only once, because what follows is
    /// made of the same.
    pub fn beyond(&mut self, fault: &Fault, at: Loc) {
        if !self.full {
            self.add(Problem::BeyondLimits { fault: fault.to_string() }, at);
        }
        self.full = true;
    }

    /// Reports whether the program has grown beyond a limit, so that going on is useless.
    pub fn is_full(&self) -> bool {
        self.full
    }

    pub fn failed(&self) -> bool {
        self.failed
    }

    /// Returns the diagnostics in file order. One that was found several times at one place (a base file is read for every
    /// file next to it, a shared span for every use) is returned once.
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
