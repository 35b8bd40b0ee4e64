//! Parses a scalar's text to a [`Template`]: finds the expressions, and has each of them parsed.

use pest::Parser;
use pest::iterators::Pair;

use super::expression::{self, Rule, TemplateParser};
use super::{Expr, MAX_BYTES, Node, Part, Template};
use crate::language::diagnostic::{Diagnostic, Problem};
use crate::language::source::{Loc, Located};
use crate::language::yaml::{Offsets, is_template};

/// Parses `text`, which is written at `loc`; `offsets` maps its bytes to the file's. A mistake is reported, and replaced by
/// [`Expr::Error`].
pub fn parse(text: &str, loc: Loc, offsets: &Offsets, diagnostics: &mut Vec<Diagnostic>) -> Template {
    if !is_template(text) {
        let parts = if text.is_empty() { vec![] } else { vec![Part::Text(text.to_owned())] };
        return Template { parts, loc };
    }
    if text.len() > MAX_BYTES {
        let problem = Problem::TemplateTooLarge { subject: "bytes of text with expressions in it", limit: MAX_BYTES };
        diagnostics.push(Diagnostic::new(problem, loc));
        return Template { parts: vec![error(loc)], loc };
    }
    let mut parts = vec![];
    // Both rules accept any text.
    let entry = if expression::too_deep(text).is_none() { Rule::template } else { Rule::unread };
    let pieces = TemplateParser::parse(entry, text).into_iter().flatten().flat_map(Pair::into_inner);
    for piece in pieces {
        let at = offsets.loc(piece.as_span().start(), piece.as_span().end());
        match piece.as_rule() {
            Rule::text => push_text(&mut parts, piece.as_str()),
            Rule::escape => push_text(&mut parts, &piece.as_str()[1..]),
            Rule::computed => {
                for value in piece.into_inner() {
                    parts.push(part(expression::build(value, offsets), at, diagnostics));
                }
            }
            Rule::angles | Rule::braces => {
                let open = if piece.as_rule() == Rule::angles { "<<" } else { "{{" };
                for inside in piece.into_inner() {
                    parts.push(expression(inside, at, open, offsets, diagnostics));
                }
            }
            Rule::wrong => {
                let (open, close) = if piece.as_str().starts_with("<<") { ("<<", "}}") } else { ("{{", ">>") };
                diagnostics.push(Diagnostic::new(Problem::WrongClose { open, close }, at));
                parts.push(error(at));
            }
            Rule::open => {
                let open = if piece.as_str().starts_with("<<") { "<<" } else { "{{" };
                let start = piece.as_span().start();
                let quote = piece.as_str().contains(['\'', '"'])
                    && piece.as_str().contains([">>", "}}"][usize::from(open == "{{")]);
                let at_open = offsets.loc(start, start + open.len());
                diagnostics.push(Diagnostic::new(Problem::Unclosed { open, quote }, at_open));
                parts.push(error(at));
            }
            _ => {}
        }
    }
    Template { parts, loc }
}

/// Parses a text that is an expression without `<<` and `>>`. A mistake is reported, and replaced by [`Expr::Error`].
pub fn bare(text: &str, loc: Loc, offsets: &Offsets, diagnostics: &mut Vec<Diagnostic>) -> Template {
    if text.len() > MAX_BYTES {
        let problem = Problem::TemplateTooLarge { subject: "bytes of text with expressions in it", limit: MAX_BYTES };
        diagnostics.push(Diagnostic::new(problem, loc));
        return Template { parts: vec![error(loc)], loc };
    }
    Template { parts: vec![part(expression::parse(text, 0, offsets), loc, diagnostics)], loc }
}

/// Returns a part in place of a wrong value, which causes no further reports.
pub fn error(loc: Loc) -> Part {
    Part::Expr(Located::new(Box::new(Expr::Error), loc))
}

fn push_text(parts: &mut Vec<Part>, text: &str) {
    match parts.last_mut() {
        Some(Part::Text(last)) => last.push_str(text),
        _ => parts.push(Part::Text(text.to_owned())),
    }
}

fn expression(
    inside: Pair<Rule>,
    at: Loc,
    open: &'static str,
    offsets: &Offsets,
    diagnostics: &mut Vec<Diagnostic>,
) -> Part {
    if inside.as_str().trim().is_empty() {
        diagnostics.push(Diagnostic::new(Problem::EmptyExpression { open }, at));
        return error(at);
    }
    let base = inside.as_span().start();
    part(expression::parse(inside.as_str(), base, offsets), at, diagnostics)
}

/// Returns the expression, or reports the mistake and returns an error in its place.
fn part(read: Result<Node, Box<Diagnostic>>, at: Loc, diagnostics: &mut Vec<Diagnostic>) -> Part {
    match read {
        Ok(node) => Part::Expr(node),
        Err(diagnostic) => {
            diagnostics.push(*diagnostic);
            error(at)
        }
    }
}
