//! Diagnostics: what is wrong, where, and what would help.
//!
//! [`Problem`] is the mistake as data; `wording` has every sentence; `render` shows them (human, JSON, GitHub, SARIF).

mod problem;
pub mod render;
mod wording;

pub use problem::Problem;

use serde::Serialize;

use super::source::Loc;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
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

/// The name out of `known` that was probably meant by `name`.
pub fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    // Longer texts are no misspelt names, and comparing them costs the product of their lengths.
    if name.len() > 64 {
        return None;
    }
    let folded = name.to_lowercase();
    known
        .into_iter()
        .filter(|known| known.len() <= 64 && *known != name)
        .map(|known| (strsim::damerau_levenshtein(&folded, &known.to_lowercase()), known))
        .filter(|(distance, known)| *distance <= (known.len().max(name.len()) / 3).max(1))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, known)| known.to_owned())
}

/// A text cut to a length that a message can carry.
pub fn short(text: &str) -> String {
    let line = text.trim().lines().next().unwrap_or_default();
    match line.char_indices().nth(60) {
        Some((cut, _)) => format!("{}...", &line[..cut]),
        None => line.to_owned(),
    }
}
