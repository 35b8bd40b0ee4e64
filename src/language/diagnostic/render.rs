//! The formats of diagnostics: for people (`human`), programs (`json`), GitHub's annotations (`github`), and code scanners
//! (`sarif`).

mod github;
mod human;
mod json;
mod place;
mod sarif;

use std::collections::BTreeSet;

pub use github::github;
pub use human::human;
pub use json::json;
pub use place::Places;
pub use sarif::sarif;

use super::{Diagnostic, Severity};
use crate::language::source::Sources;

/// Returns the line after all diagnostics, such as "2 errors in orders.yaml; 10 other files are fine", or `None` if there
/// are none.
pub fn summary(sources: &Sources, diagnostics: &[Diagnostic]) -> Option<String> {
    let count = |severity| diagnostics.iter().filter(|diagnostic| diagnostic.severity() == severity).count();
    let (errors, warnings) = (count(Severity::Error), count(Severity::Warning));
    let counted = |n: usize, subject: &str| format!("{n} {subject}{}", if n == 1 { "" } else { "s" });
    let found = match (errors, warnings) {
        (0, 0) => return None,
        (0, _) => counted(warnings, "warning"),
        (_, 0) => counted(errors, "error"),
        _ => format!("{} and {}", counted(errors, "error"), counted(warnings, "warning")),
    };
    let files: BTreeSet<_> = diagnostics.iter().map(|diagnostic| diagnostic.at.file).collect();
    let place = match files.first() {
        Some(&file) if files.len() == 1 => sources.file(file).name.clone(),
        _ => counted(files.len(), "file"),
    };
    Some(match sources.files().len() - files.len() {
        0 => format!("{found} in {place}"),
        1 => format!("{found} in {place}; 1 other file is fine"),
        others => format!("{found} in {place}; {others} other files are fine"),
    })
}
