//! Builds a mapping from keys and values: traps, merge keys, duplicates.

use std::collections::HashMap;
use std::rc::Rc;

use super::scalar::is_template;
use super::traps::{self, Source};
use super::{Entry, Kind, Node, Style};
use crate::language::diagnostic::{Diagnostic, Problem, Role};
use crate::language::source::{Loc, Located};

/// Builds a mapping; `children` holds keys and values alternately.
pub fn build<'a>(
    source: Source,
    loc: Loc,
    flow: bool,
    children: Vec<Rc<Node<'a>>>,
    diagnostics: &mut Vec<Diagnostic>,
) -> Kind<'a> {
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
    let mut index = Index::default();
    for (key, value) in pairs {
        match &key.kind {
            Kind::Scalar { text, style: Style::Plain } if text == "<<" => merges.push((key.loc, value)),
            Kind::Scalar { text, style } if is_template(text) && *style != Style::Block => {
                diagnostics.push(Diagnostic::new(Problem::TemplateAsKey, key.loc));
            }
            Kind::Scalar { text, .. } => match index.find(&entries, text) {
                Some(first) => {
                    let problem = Problem::DuplicateKey { key: text.to_string() };
                    diagnostics.push(Diagnostic::new(problem, key.loc).related(Role::First, entries[first].key.loc));
                }
                None => {
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
    // The mapping's own entries take precedence, then those that were merged first.
    for (key, value) in merges {
        for merged in sources(key, &value, diagnostics) {
            let Kind::Mapping(merged) = &merged.kind else { continue };
            for entry in merged {
                if index.find(&entries, &entry.key.value).is_none() {
                    entries.push(entry.clone());
                }
            }
        }
    }
    Kind::Mapping(entries)
}

/// Finds the entry with a key. A few keys are compared one by one, many are hashed.
#[derive(Default)]
struct Index {
    hashed: HashMap<Box<str>, usize>,
}

impl Index {
    const FEW: usize = 16;

    fn find(&mut self, entries: &[Entry], key: &str) -> Option<usize> {
        if entries.len() <= Index::FEW {
            return entries.iter().position(|entry| *entry.key.value == *key);
        }
        for (at, entry) in entries.iter().enumerate().skip(self.hashed.len()) {
            self.hashed.insert((*entry.key.value).into(), at);
        }
        self.hashed.get(key).copied()
    }
}

/// Gives an empty value, which has no place of its own, the place of its key.
fn located(value: Rc<Node<'_>>, key: Loc) -> Rc<Node<'_>> {
    match &value.kind {
        Kind::Scalar { style: Style::Plain, .. } if value.loc.start == value.loc.end => {
            Rc::new(Node::new(key, Kind::Scalar { text: "".into(), style: Style::Plain }))
        }
        _ => value,
    }
}

/// Returns the mappings that a merge key names.
fn sources<'a>(key: Loc, value: &Rc<Node<'a>>, diagnostics: &mut Vec<Diagnostic>) -> Vec<Rc<Node<'a>>> {
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
