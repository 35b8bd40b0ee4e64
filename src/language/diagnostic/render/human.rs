//! The format for people: the source line, underlined, with the mistake and a way to mend it.

use std::ops::Range;

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Element, Level, Origin, Renderer, Snippet};

use super::place::Places;
use crate::language::diagnostic::{Diagnostic, Severity};
use crate::language::source::{FileId, Loc, Sources};
use crate::text::foreign::foreign;

/// The number of bytes of a source line that are shown before and after the beginning of a place; the renderer cuts them to
/// the terminal's width. If a place is farther right, only its line and column are shown.
const MAX_BEFORE: usize = 1000;
const MAX_BEHIND: usize = 400;
/// The maximum number of lines between two places that are shown as one piece of source.
const MAX_LINES: usize = 100;

/// Formats all diagnostics, separated by empty lines and ending in a newline, with ANSI escapes if `color` is set.
pub fn human(sources: &Sources, diagnostics: &[Diagnostic], color: bool) -> String {
    let renderer = if color { Renderer::styled() } else { Renderer::plain() }.decor_style(DecorStyle::Ascii);
    let mut places = Places::new(sources);
    let mut out = String::new();
    for diagnostic in diagnostics {
        if !out.is_empty() {
            out.push('\n');
        }
        out += &one(&renderer, &mut places, diagnostic);
        out.push('\n');
    }
    out
}

/// A place that is shown, and its part of the source.
struct Shown {
    kind: AnnotationKind,
    label: String,
    file: FileId,
    line: usize,
    column: usize,
    /// The part of the line that is shown, and the part of it that is underlined.
    window: Range<usize>,
    marked: Range<usize>,
    /// Whether there is no source to show, or too much.
    bare: bool,
}

fn one(renderer: &Renderer, places: &mut Places, diagnostic: &Diagnostic) -> String {
    let problem = &diagnostic.problem;
    let level = match diagnostic.severity() {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let mut shown = vec![show(places, diagnostic.at, AnnotationKind::Primary, foreign(&problem.label()).to_string())];
    for related in &diagnostic.related {
        shown.push(show(places, related.at, AnnotationKind::Context, related.role.label().to_owned()));
    }
    let mut group = level
        .primary_title(foreign(&problem.message()).to_string())
        .id(problem.code())
        .elements(elements(places, shown));
    if let Some(help) = problem.help() {
        group = group.element(Level::HELP.message(foreign(&help).to_string()));
    }
    renderer.render(&[group])
}

/// Returns the first line of a place, or what fits of it.
fn show(places: &mut Places, loc: Loc, kind: AnnotationKind, label: String) -> Shown {
    let place = places.place(loc);
    let (line, mut range) = places.line(loc.file, loc.start as usize);
    let text = places.text(loc.file);
    if text[range.clone()].starts_with('\u{FEFF}') {
        range.start += '\u{FEFF}'.len_utf8();
    }
    let start = (loc.start as usize).clamp(range.start, range.end);
    let end = (loc.end as usize).clamp(start, range.end);
    let window = range.start..boundary(text, (start + MAX_BEHIND).min(range.end));
    let marked = start..end.min(window.end);
    let bare = text.is_empty() || start - range.start > MAX_BEFORE;
    Shown { kind, label, file: loc.file, line, column: place.column, window, marked, bare }
}

fn boundary(text: &str, mut at: usize) -> usize {
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

/// Returns the elements to render. Places of one file that are near each other share a piece of source.
fn elements<'a>(places: &Places<'a>, shown: Vec<Shown>) -> Vec<Element<'a>> {
    let mut elements = vec![];
    let mut pieces: Vec<Vec<Shown>> = vec![];
    for place in shown {
        let near = |other: &Shown| {
            other.file == place.file && other.line.abs_diff(place.line) <= MAX_LINES && !other.bare && !place.bare
        };
        match pieces.iter_mut().find(|piece| piece.iter().all(near)) {
            Some(piece) => piece.push(place),
            None => pieces.push(vec![place]),
        }
    }
    for piece in pieces {
        let (file, first) = (piece[0].file, &piece[0]);
        if first.bare {
            let origin = Origin::path(foreign(places.name(file)).to_string());
            let whole_file = places.text(file).is_empty();
            elements.push(if whole_file { origin } else { origin.line(first.line).char_column(first.column) }.into());
            continue;
        }
        let start = piece.iter().map(|place| place.window.start).min().unwrap_or_default();
        let end = piece.iter().map(|place| place.window.end).max().unwrap_or_default();
        let line = piece.iter().map(|place| place.line).min().unwrap_or(1);
        let snippet = Snippet::source(&places.text(file)[start..end])
            .line_start(line)
            .path(foreign(places.name(file)).to_string());
        let annotations = piece.into_iter().map(|place| {
            let marked = place.marked.start - start..place.marked.end - start;
            place.kind.span(marked).label((!place.label.is_empty()).then_some(place.label))
        });
        elements.push(snippet.annotations(annotations).into());
    }
    elements
}
