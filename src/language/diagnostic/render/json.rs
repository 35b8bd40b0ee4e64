//! The format for programs: one JSON document with a list of diagnostics.

use serde::Serialize;

use super::place::{Place, Places};
use crate::language::diagnostic::{Diagnostic, Severity};
use crate::language::source::Sources;

#[derive(Serialize)]
struct Entry<'a> {
    code: &'static str,
    severity: Severity,
    message: String,
    #[serde(flatten)]
    place: Place<'a>,
    #[serde(skip_serializing_if = "String::is_empty")]
    label: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    help: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    related: Vec<Related<'a>>,
}

#[derive(Serialize)]
struct Related<'a> {
    message: &'static str,
    #[serde(flatten)]
    place: Place<'a>,
}

/// Formats diagnostics as a JSON list with an object for each, ending in a newline.
#[expect(clippy::missing_panics_doc, reason = "the entries are plain data, which JSON can hold")]
pub fn json(sources: &Sources, diagnostics: &[Diagnostic]) -> String {
    let mut places = Places::new(sources);
    let entries: Vec<Entry> = diagnostics
        .iter()
        .map(|diagnostic| {
            let problem = &diagnostic.problem;
            let related = diagnostic.related.iter();
            let related = related.map(|r| Related { message: r.role.label(), place: places.place(r.at) }).collect();
            Entry {
                code: problem.code(),
                severity: diagnostic.severity(),
                message: problem.message(),
                place: places.place(diagnostic.at),
                label: problem.label(),
                help: problem.help(),
                related,
            }
        })
        .collect();
    let text = serde_json::to_string_pretty(&entries).expect("texts and numbers are JSON");
    text + "\n"
}
