//! Cases in which YAML reads something else than the author of a template meant.

use std::rc::Rc;

use super::scalar::is_template;
use super::{Kind, Node, Style};
use crate::language::diagnostic::{Diagnostic, Problem};
use crate::language::source::{FileId, Loc};

#[derive(Clone, Copy)]
pub struct Source<'a> {
    pub text: &'a str,
    pub file: FileId,
}

/// Detects `order #<<x>>`: the plain scalar at `loc` ends where a comment begins.
pub fn comment(source: &str, loc: Loc, diagnostics: &mut Vec<Diagnostic>) {
    let rest = &source[loc.end as usize..];
    let blanks = rest.bytes().take_while(|b| matches!(b, b' ' | b'\t')).count();
    if loc.start == loc.end || blanks == 0 || !rest[blanks..].starts_with('#') {
        return;
    }
    let comment = rest[blanks..].lines().next().unwrap_or_default().trim_end();
    if is_template(comment) {
        let start = loc.end + blanks as u32;
        let at = Loc { start, end: start + comment.len() as u32, ..loc };
        diagnostics.push(Diagnostic::new(Problem::CommentHidesTemplate { text: comment.to_owned() }, at));
    }
}

/// Detects `a: {{x}}`, a mapping whose only key is a mapping.
pub fn braces(source: Source, loc: Loc, children: &[Rc<Node>]) -> Option<Problem> {
    let text = &source.text[loc.range()];
    let first_is_mapping = matches!(children.first()?.kind, Kind::Mapping(_) | Kind::Broken);
    (first_is_mapping && text.starts_with("{{") && text.ends_with("}}"))
        .then(|| Problem::BracesAreMapping { template: text.to_owned() })
}

/// Detects `{n: <<f(a, b)>>}`, in which the value is `<<f(a`, and `b)>>` a key without a value. Both are replaced by a
/// broken value.
pub fn cut_pairs<'a>(
    source: Source,
    pairs: Vec<(Rc<Node<'a>>, Rc<Node<'a>>)>,
    diagnostics: &mut Vec<Diagnostic>,
) -> Vec<(Rc<Node<'a>>, Rc<Node<'a>>)> {
    let mut kept = Vec::with_capacity(pairs.len());
    let mut rest = pairs.into_iter();
    while let Some((key, value)) = rest.next() {
        let closer = opened(source, &value).and_then(|close| {
            // The search ends at the next template, so that it takes linear time.
            let here = rest.as_slice().iter().take_while(|(_, value)| opened(source, value).is_none());
            here.map(|(key, value)| value.is_null() && closes(key, close)).position(|found| found)
        });
        let Some(closer) = closer else {
            kept.push((key, value));
            continue;
        };
        let end = rest.as_slice()[closer].0.loc.end;
        diagnostics.push(cut(source, &value, end));
        kept.push((key, Rc::new(Node::new(value.loc, Kind::Broken))));
        rest.nth(closer);
    }
    kept
}

/// Detects `[<<f(1, 5)>>, x]`, in which `<<f(1` and `5)>>` are two items.
pub fn sequence<'a>(
    source: Source,
    flow: bool,
    items: Vec<Rc<Node<'a>>>,
    diagnostics: &mut Vec<Diagnostic>,
) -> Vec<Rc<Node<'a>>> {
    if !flow {
        return items;
    }
    let mut kept = Vec::with_capacity(items.len());
    let mut rest = items.into_iter();
    while let Some(item) = rest.next() {
        let closer = opened(source, &item).and_then(|close| {
            let here = rest.as_slice().iter().take_while(|item| opened(source, item).is_none());
            here.map(|item| closes(item, close)).position(|found| found)
        });
        let Some(closer) = closer else {
            kept.push(item);
            continue;
        };
        let end = rest.as_slice()[closer].loc.end;
        diagnostics.push(cut(source, &item, end));
        kept.push(Rc::new(Node::new(item.loc, Kind::Broken)));
        rest.nth(closer);
    }
    kept
}

/// Returns what would close the template that a plain scalar leaves open at a comma.
fn opened(source: Source, node: &Node) -> Option<&'static str> {
    let Kind::Scalar { text, style: Style::Plain } = &node.kind else { return None };
    if node.loc.file != source.file || !is_template(text) {
        return None;
    }
    if !source.text[node.loc.end as usize..].trim_start().starts_with(',') {
        return None;
    }
    [("<<", ">>"), ("{{", "}}")]
        .into_iter()
        .find(|(open, close)| text.rfind(open).is_some_and(|at| !text[at..].contains(close)))
        .map(|(_, close)| close)
}

fn closes(node: &Node, close: &str) -> bool {
    matches!(&node.kind, Kind::Scalar { text, style: Style::Plain } if text.contains(close))
}

fn cut(source: Source, value: &Node, end: u32) -> Diagnostic {
    let start = value.loc.start as usize;
    let template = source.text.get(start..end as usize).unwrap_or_default().to_owned();
    let comma = source.text[value.loc.end as usize..].find(',').map_or(0, |at| at as u32 + 1);
    Diagnostic::new(Problem::CutAtComma { template }, Loc { end: value.loc.end + comma, ..value.loc })
}
