//! Diagnostics: what is wrong, where, and how to mend it.
//!
//! [`Problem`] is the mistake as data; `wording` contains every sentence; `render` shows diagnostics in several formats
//! (human, JSON, GitHub, SARIF).

mod problem;
pub mod render;
mod wording;

pub use problem::{Class, Problem, Unavailable};

use serde::Serialize;

use super::source::Loc;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    Error,
    Warning,
}

/// A mistake at a place.
#[derive(Clone, Debug, PartialEq)]
pub struct Diagnostic {
    pub problem: Problem,
    pub at: Loc,
    /// Other places that are related to it.
    pub related: Vec<Related>,
}

/// Another place that is related to a mistake.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Related {
    pub at: Loc,
    pub role: Role,
}

/// The relation of a place to the mistake.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Role {
    /// The same key, name, field or choice was written here before.
    First,
    /// The list without the name is here.
    List,
    /// The anchor to which an alias refers is here.
    Anchor,
    /// An item of this type, which does not go together with another one, is here.
    Item(&'static str),
    /// The rows of which the var is one are here.
    Rows,
    /// The span without the attribute is here.
    Span,
    /// A span that can be linked to, and does not have the attribute, is here.
    Linkable,
    /// Another member of the cycle is here.
    Member,
    /// The quotes that make the value a text are here.
    Quotes,
    /// A probability that is part of the sum is here.
    Summand,
    /// Another weight of 0 is here.
    ZeroWeight,
    /// The shared span is defined here, or the part of it to which the mistake refers.
    Definition,
    /// The shared span is used here.
    Use,
    /// The stages that do not fit into their cycle are here.
    Stages,
    /// The rule that decides on all traces is here.
    LastRule,
}

impl Diagnostic {
    pub fn new(problem: Problem, at: Loc) -> Self {
        Diagnostic { problem, at, related: vec![] }
    }

    /// Returns the diagnostic with another related place.
    pub fn related(mut self, role: Role, at: Loc) -> Self {
        self.related.push(Related { at, role });
        self
    }

    pub fn severity(&self) -> Severity {
        match self.problem.class() {
            Class::File | Class::Error => Severity::Error,
            Class::Warning => Severity::Warning,
        }
    }
}

/// The maximum number of names that are compared to find a similar one; longer lists were not written by hand.
const MOST_CANDIDATES: usize = 2_000;

/// Returns the name in `known` that was probably meant by `name`.
pub fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    // Longer texts are not misspelt names, and comparing them takes time proportional to the product of their lengths.
    if name.len() > 64 {
        return None;
    }
    let folded = name.to_lowercase();
    known
        .into_iter()
        .take(MOST_CANDIDATES)
        .filter(|known| known.len() <= 64 && *known != name)
        .map(|known| (strsim::damerau_levenshtein(&folded, &known.to_lowercase()), known))
        .filter(|(distance, known)| *distance <= (known.len().max(name.len()) / 3).max(1))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, known)| known.to_owned())
}

/// Returns a text, cut to a length that fits in a message.
pub fn short(text: &str) -> String {
    let line = text.trim().lines().next().unwrap_or_default();
    match line.char_indices().nth(60) {
        Some((cut, _)) => format!("{}...", &line[..cut]),
        None => line.to_owned(),
    }
}
