//! Diagnostics: what is wrong, where, and what would help.
//!
//! [`Problem`] is the mistake as data; `wording` has every sentence; `render` shows them (human, JSON, GitHub, SARIF).

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

/// One mistake at one place.
#[derive(Clone, Debug, PartialEq)]
pub struct Diagnostic {
    pub problem: Problem,
    pub at: Loc,
    /// Other places that have to do with it.
    pub related: Vec<Related>,
}

/// Another place that has to do with a mistake.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Related {
    pub at: Loc,
    pub role: Role,
}

/// What a related place has to do with the mistake.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Role {
    /// The same key, name, field or choice was written here before.
    First,
    /// The list that lacks the name is here.
    List,
    /// The anchor that an alias refers to is here.
    Anchor,
    /// An item of this type, with which another does not go together, is here.
    Item(&'static str),
    /// The rows that the var is one of are here.
    Rows,
    /// The span that lacks the attribute is here.
    Span,
    /// A span that can be linked to, and that lacks the attribute, is here.
    Linkable,
    /// Another member of the circle is here.
    Member,
    /// The quotes that make a value text are here.
    Quotes,
    /// A probability that counts towards the sum is here.
    Summand,
    /// Another weight of 0 is here.
    ZeroWeight,
    /// The shared span is defined here, or the part of it that the mistake is about.
    Definition,
    /// The shared span is used here.
    Use,
}

impl Diagnostic {
    pub fn new(problem: Problem, at: Loc) -> Self {
        Diagnostic { problem, at, related: vec![] }
    }

    /// The diagnostic with one more related place.
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

/// Names that a search for a similar one looks at: what has more is not named by hand.
const MOST_CANDIDATES: usize = 2_000;

/// The name out of `known` that was probably meant by `name`.
pub fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    // Longer texts are no misspelt names, and comparing them costs the product of their lengths.
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

/// A text cut to a length that a message can carry.
pub fn short(text: &str) -> String {
    let line = text.trim().lines().next().unwrap_or_default();
    match line.char_indices().nth(60) {
        Some((cut, _)) => format!("{}...", &line[..cut]),
        None => line.to_owned(),
    }
}
