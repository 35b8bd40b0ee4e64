//! [Workflow commands](https://docs.github.com/actions/reference/workflow-commands-for-github-actions) of GitHub Actions.

use super::place::Places;
use crate::language::diagnostic::{Diagnostic, Severity};
use crate::language::source::Sources;

/// Returns a line for each diagnostic, which becomes an annotation in a pull request.
pub fn github(sources: &Sources, diagnostics: &[Diagnostic]) -> String {
    let mut places = Places::new(sources);
    let mut out = String::new();
    for diagnostic in diagnostics {
        let place = places.place(diagnostic.at);
        let level = match diagnostic.severity() {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        let mut message = diagnostic.problem.message();
        if let Some(help) = diagnostic.problem.help() {
            message = format!("{message}\nhelp: {help}");
        }
        let file = property(place.file);
        let (line, column) = (place.line, place.column);
        out += &format!("::{level} file={file},line={line},endLine={},col={column}", place.end_line);
        // GitHub ignores columns if the place ends on another line.
        if place.end_line == line {
            out += &format!(",endColumn={}", place.end_column);
        }
        out += &format!(",title={}::{}\n", diagnostic.problem.code(), data(&message));
    }
    out
}

fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}
