//! Diagnostics on a page: the source line, what is wrong in it, and what would help.

use crate::language::diagnostic::render::Places;
use crate::language::diagnostic::{Diagnostic, Severity};
use crate::language::source::{FileId, Sources};
use crate::web::words::{Words, words};
use askama::Template;
use askama::filters::HtmlSafe;

/// The number of characters of a source line that are shown before a place.
const BEFORE: usize = 60;
/// The number of characters of a source line that are shown behind a place.
const BEHIND: usize = 120;
/// The maximum number of diagnostics that are shown; further ones are counted.
const MAX_SHOWN: usize = 50;

/// The diagnostics as a part of a page.
#[derive(Template)]
#[template(path = "diagnostics.html")]
pub struct Diagnostics {
    shown: Vec<Shown>,
    /// The number of diagnostics that are not shown.
    hidden: usize,
}

// The template escapes what it shows.
impl HtmlSafe for Diagnostics {}

struct Shown {
    code: &'static str,
    is_error: bool,
    message: Vec<Words>,
    file: String,
    line: usize,
    column: usize,
    /// The place is in the file that is edited.
    own: bool,
    /// The start of the place in the file, in bytes.
    start: usize,
    /// The end of the place in the file, in bytes.
    end: usize,
    excerpt: Excerpt,
    related: Vec<String>,
    help: Option<String>,
    fix: Option<Change>,
}

/// The source line with the marks below it.
struct Excerpt {
    number: String,
    text: String,
    /// Spaces as wide as the number.
    margin: String,
    indent: String,
    carets: String,
    label: String,
}

/// A replacement of bytes in the edited file.
struct Change {
    start: usize,
    end: usize,
    text: String,
}

impl Diagnostics {
    /// Prepares diagnostics. Places in the file `edited` can be selected and changed.
    pub fn new(sources: &Sources, diagnostics: &[Diagnostic], edited: Option<FileId>) -> Diagnostics {
        let mut places = Places::new(sources);
        let shown = diagnostics.iter().take(MAX_SHOWN).map(|d| show(&mut places, sources, d, edited)).collect();
        Diagnostics { shown, hidden: diagnostics.len().saturating_sub(MAX_SHOWN) }
    }
}

fn show(places: &mut Places, sources: &Sources, diagnostic: &Diagnostic, edited: Option<FileId>) -> Shown {
    let Diagnostic { problem, at, related } = diagnostic;
    let place = places.place(*at);
    let own = edited == Some(at.file);
    let fix = problem.misspelt().filter(|_| own).and_then(|(wrong, right)| {
        let found = sources.text(*at).find(wrong)?;
        let start = at.range().start + found;
        Some(Change { start, end: start + wrong.len(), text: right.to_string() })
    });
    let related = related.iter().map(|related| {
        let place = places.place(related.at);
        format!("{}:{}:{}  {}", place.file, place.line, place.column, related.role.label())
    });
    Shown {
        code: problem.code(),
        is_error: diagnostic.severity() == Severity::Error,
        message: words(&problem.message()),
        file: place.file.to_string(),
        line: place.line,
        column: place.column,
        own,
        start: at.range().start,
        end: at.range().end,
        related: related.collect(),
        excerpt: excerpt(places, diagnostic),
        help: problem.help(),
        fix,
    }
}

fn excerpt(places: &mut Places, diagnostic: &Diagnostic) -> Excerpt {
    let range = diagnostic.at.range();
    let (number, line) = places.line(diagnostic.at.file, range.start);
    let text = places.text(diagnostic.at.file);
    let start = range.start.clamp(line.start, line.end);
    let before: Vec<char> = text[line.start..start].chars().rev().take(BEFORE).collect();
    let before: String = before.into_iter().rev().collect();
    let marked: String = text[start..range.end.clamp(start, line.end)].chars().take(BEHIND).collect();
    let behind: String = text[start + marked.len()..line.end].chars().take(BEHIND).collect();
    let number = number.to_string();
    Excerpt {
        margin: " ".repeat(number.len()),
        number,
        indent: before.chars().map(|c| if c == '\t' { '\t' } else { ' ' }).collect(),
        carets: "^".repeat(marked.chars().count().max(1)),
        text: before + &marked + &behind,
        label: diagnostic.problem.label(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{compiler, language};

    fn shown(text: &str) -> Vec<Shown> {
        let base = "schema_version: 1\nservices: [payment-service]\n";
        let files = [("_base.yaml", base), ("a.yaml", text)].map(|(name, text)| (name.into(), text.into()));
        let (sources, compiled) = compiler::compile_loaded(language::load_texts(files.into()));
        Diagnostics::new(&sources, &compiled.diagnostics, Some(FileId(1))).shown
    }

    #[test]
    fn a_misspelled_name_can_be_corrected() {
        let text = "name: a\nroot_span: {service: \"paymet-service\", operation: o}";
        let [only] = &shown(text)[..] else { panic!() };
        assert_eq!((only.code, only.line, only.column, only.own), ("E0204", 2, 22, true));
        assert_eq!(only.excerpt.carets.len(), "\"paymet-service\"".len());
        assert!(only.related[0].starts_with("_base.yaml:2:"), "{:?}", only.related);
        let fix = only.fix.as_ref().unwrap();
        let mut fixed = text.to_string();
        fixed.replace_range(fix.start..fix.end, &fix.text);
        assert!(shown(&fixed).is_empty());
    }

    #[test]
    fn long_lines_are_cut_around_the_place() {
        let text = format!("name: a\nroot_span: {{service: payment-service, {}x: 1, operation: o}}", " ".repeat(5_000));
        let [only] = &shown(&text)[..] else { panic!() };
        assert!(only.excerpt.text.len() < 300 && only.excerpt.text.contains("x: 1"));
        assert!(only.fix.is_none());
    }
}
