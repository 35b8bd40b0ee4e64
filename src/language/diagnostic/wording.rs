//! Every sentence of every diagnostic, in one place.

use super::Problem;

impl Problem {
    /// One sentence, no full stop.
    pub fn message(&self) -> String {
        match self {
            Problem::UnknownFunction { name, .. } => format!("there is no function `{name}`"),
        }
    }

    /// Under the underlined source; a few words.
    pub fn label(&self) -> String {
        match self {
            Problem::UnknownFunction { .. } => "not a function".into(),
        }
    }

    /// Under each related place.
    pub fn related_label(&self) -> &'static str {
        ""
    }

    /// The way out, where one is likely.
    pub fn help(&self) -> Option<String> {
        match self {
            Problem::UnknownFunction { nearest, .. } => nearest.as_ref().map(|n| format!("did you mean `{n}`?")),
        }
    }
}
