//! Every mistake tracegen can report, as data. Codes are stable and never reused.

/// What is wrong. Names and figures a message needs are fields; sentences stand in `wording`.
#[derive(Clone, Debug, PartialEq)]
pub enum Problem {
    // E01xx: the file and its YAML
    // E02xx: fields and their values
    // E03xx: templates
    /// E0301: a function nobody knows.
    UnknownFunction { name: String, nearest: Option<String> },
    // E04xx: names
    // E05xx: types and figures
    // E06xx: links, bounds, the whole
    // W....: warnings
}

impl Problem {
    pub fn code(&self) -> &'static str {
        match self {
            Problem::UnknownFunction { .. } => "E0301",
        }
    }
}
