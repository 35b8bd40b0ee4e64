//! Keys and values to a mapping: traps, merge keys, duplicates.

use std::collections::HashMap;
use std::rc::Rc;

use super::traps::{self, Source};
use super::{Entry, Kind, Node, Style};
use crate::language::diagnostic::{Diagnostic, Problem};
use crate::language::source::{Loc, Located};

/// `children` holds keys and values in turn.
pub fn build(source: Source, loc: Loc, flow: bool, children: Vec<Rc<Node>>, diagnostics: &mut Vec<Diagnostic>) -> Kind {
    if flow && let Some(problem) = traps::braces(source, loc, &children) {
        diagnostics.push(Diagnostic::new(problem, loc));
        return Kind::Broken;
    }
    let mut children = children.into_iter();
    let mut pairs = Vec::with_capacity(children.len() / 2);
    while let (Some(key), Some(value)) = (children.next(), children.next()) {
        pairs.push((key, value));
    }
    if flow {
        pairs = traps::cut_pairs(source, pairs, diagnostics);
    }

    let mut entries: Vec<Entry> = Vec::with_capacity(pairs.len());
    let mut merges = vec![];
    let mut places: HashMap<Box<str>, Loc> = HashMap::with_capacity(pairs.len());
    for (key, value) in pairs {
        match &key.kind {
            Kind::Scalar { text, style: Style::Plain } if &**text == "<<" => merges.push((key.loc, value)),
            Kind::Scalar { text, style } if traps::is_template(text) && *style != Style::Block => {
                diagnostics.push(Diagnostic::new(Problem::TemplateAsKey, key.loc));
            }
            Kind::Scalar { text, .. } => match places.get(text) {
                Some(&first) => {
                    let problem = Problem::DuplicateKey { key: text.to_string() };
                    diagnostics.push(Diagnostic::new(problem, key.loc).related(first));
                }
                None => {
                    places.insert(text.clone(), key.loc);
                    let value = located(value, key.loc);
                    entries.push(Entry { key: Located::new(text.clone(), key.loc), value });
                }
            },
            Kind::Broken => {}
            Kind::Sequence(_) | Kind::Mapping(_) => {
                diagnostics.push(Diagnostic::new(Problem::KeyNotText, key.loc));
            }
        }
    }
    // What the mapping says itself wins, then what was merged first.
    for (key, value) in merges {
        for merged in sources(key, &value, diagnostics) {
            let Kind::Mapping(merged) = &merged.kind else { continue };
            for entry in merged {
                if !places.contains_key(&entry.key.value) {
                    places.insert(entry.key.value.clone(), entry.key.loc);
                    entries.push(entry.clone());
                }
            }
        }
    }
    Kind::Mapping(entries)
}

/// An empty value has no place of its own, and is given its key's.
fn located(value: Rc<Node>, key: Loc) -> Rc<Node> {
    match &value.kind {
        Kind::Scalar { style: Style::Plain, .. } if value.loc.start == value.loc.end => {
            Rc::new(Node::new(key, Kind::Scalar { text: "".into(), style: Style::Plain }))
        }
        _ => value,
    }
}

/// The mappings that a merge key names.
fn sources(key: Loc, value: &Rc<Node>, diagnostics: &mut Vec<Diagnostic>) -> Vec<Rc<Node>> {
    let candidates = match &value.kind {
        Kind::Sequence(items) => items.clone(),
        _ => vec![value.clone()],
    };
    let good = |node: &Rc<Node>| matches!(node.kind, Kind::Mapping(_) | Kind::Broken);
    if !candidates.iter().all(good) {
        diagnostics.push(Diagnostic::new(Problem::BadMerge, key));
        return vec![];
    }
    candidates
}
