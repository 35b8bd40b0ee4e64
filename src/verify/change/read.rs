//! The step from an entry of a policy file, or from a flag, to a rule. All mistakes of an entry are reported.

mod deeds;
mod given;
mod kind;

use super::Rule;
use crate::condition::{Condition, SpanValue, Vocabulary};
use crate::language::diagnostic::{Diagnostic, Problem, nearest};
use crate::language::source::{Loc, Located};
use crate::language::template::{Expr, bare};
use crate::language::yaml::{Kind as Shape, Node, Offsets, Style};
use crate::text::listed;
use deeds::Reader;
use given::Given;
use kind::Kind;

/// The key of a rule's condition, and the word before it in a flag.
const WHEN: &str = "when";
/// The number of characters of a rule that a report shows.
const SHOWN: usize = 120;

/// Reads an entry of `spans` in a policy file; `source` is the text of the file. Returns `None` if it is wrong, which is
/// reported. Attributes that the rule makes are added to the vocabulary.
pub fn read_entry(
    node: &Node<'_>,
    source: &str,
    known: &mut Vocabulary,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<Rule> {
    let mut reader = Reader { source, is_flag: false, known, diagnostics };
    let Shape::Mapping(entries) = &node.kind else {
        let given = Given::of_node(node);
        if given.is_broken() {
            return None;
        }
        let instead = Some("write `- delete: user.email`".into());
        return reader.mistyped("an entry of `spans`", "one change", given.described(), instead, node.loc);
    };
    let (mut changes, mut when) = (vec![], None);
    for entry in entries {
        if entry.key.value == WHEN {
            when = Some(&entry.value);
            continue;
        }
        let Some(kind) = Kind::named(&entry.key.value) else {
            let names = Kind::ALL.into_iter().map(Kind::word).chain([WHEN]);
            let nearest = nearest(&entry.key.value, names);
            reader.unknown(&entry.key, nearest);
            continue;
        };
        changes.push((kind, entry));
    }
    let deeds = match &changes[..] {
        [(kind, entry)] => reader.deeds(*kind, &Given::of_node(&entry.value), entry.key.loc),
        [] if entries.iter().all(|entry| entry.key.value == WHEN) => {
            let instead = "put the change beside it: `- delete: user.email`".into();
            let found = if when.is_some() { "only a condition" } else { "nothing" };
            reader.mistyped("an entry of `spans`", "one change", found.into(), Some(instead), node.loc)
        }
        [] => None,
        several => {
            let words = Vec::from_iter(several.iter().map(|(kind, _)| format!("`{}`", kind.word())));
            let instead = "write an entry for each; they are made in their order".into();
            let at = several[1].1.key.loc;
            reader.mistyped("an entry of `spans`", "one change", listed(&words, "and"), Some(instead), at)
        }
    };
    // It may read what the change makes.
    let condition = when.map(|when| reader.condition(&Given::of_node(when)));
    finish(text_of(source, node.loc), condition, deeds)
}

/// Reads a flag: `delete(payment.card) when service == 'cart'`, which stands at `loc` of `source`. It does the same as
/// [`read_entry`].
pub fn read_flag(source: &str, loc: Loc, known: &mut Vocabulary, diagnostics: &mut Vec<Diagnostic>) -> Option<Rule> {
    let mut reader = Reader { source, is_flag: true, known, diagnostics };
    let text = &source[loc.range()];
    let call = call_in(text);
    let behind = &text[call.len()..];
    let part = |start: usize, end: usize| Loc { start: loc.start + start as u32, end: loc.start + end as u32, ..loc };
    let at = part(0, call.len());
    let template = bare(call, at, &Offsets::new(source, at, Style::Plain, call), reader.diagnostics);
    let node = template.single()?;
    let deeds = match &*node.value {
        Expr::Call { path, arguments } => {
            let name = Located::new(path.join("."), Loc { end: at.start + path.join(".").len() as u32, ..at });
            match Kind::named(&name.value) {
                Some(kind) => {
                    let arguments = arguments.iter().map(|node| Given::of_expr(node, source)).collect();
                    let given = kind.positional(arguments, node.loc);
                    let given = given.or_else(|| reader.misused(kind, "something else".into(), node.loc));
                    given.and_then(|given| reader.deeds(kind, &given, name.loc))
                }
                None => {
                    let nearest = nearest(&name.value, Kind::ALL.into_iter().map(Kind::word));
                    reader.unknown(&name, nearest);
                    None
                }
            }
        }
        Expr::Error => None,
        _ => {
            let instead = Some("delete(user.email)".into());
            reader.mistyped("`--change`", "a change as a call", format!("`{call}`"), instead, at)
        }
    };
    let condition =
        behind.trim_start().strip_prefix(WHEN).filter(|rest| rest.starts_with(|c: char| !c.is_alphanumeric()));
    let condition = match condition {
        Some(condition) => {
            let at = part(text.len() - condition.trim_start().len(), text.len());
            Some(reader.condition(&Given::of_text(condition.trim_start(), at)))
        }
        None if behind.trim().is_empty() => None,
        None => {
            let found = format!("`{}`", behind.trim());
            let at = part(text.len() - behind.trim_start().len(), text.len());
            Some(reader.mistyped("a change", "`when CONDITION` behind it", found, None, at))
        }
    };
    finish(text_of(source, loc), condition, deeds)
}

/// Makes the rule if both its parts are right; `condition` is `None` without a condition.
fn finish(
    text: String,
    condition: Option<Option<Condition<SpanValue>>>,
    deeds: Option<Vec<super::deed::Deed>>,
) -> Option<Rule> {
    let when = match condition {
        Some(condition) => Some(condition?),
        None => None,
    };
    Some(Rule { text, when, deeds: deeds? })
}

/// Returns the beginning of a text up to the bracket that closes the first one; the whole text if there is none.
fn call_in(text: &str) -> &str {
    let (mut depth, mut quote, mut escaped) = (0, None, false);
    for (at, c) in text.char_indices() {
        match (quote, c) {
            _ if std::mem::take(&mut escaped) => {}
            (Some(_), '\\') => escaped = true,
            (Some(open), c) if c == open => quote = None,
            (Some(_), _) => {}
            (None, '\'' | '"') => quote = Some(c),
            (None, '(') => depth += 1,
            (None, ')') if depth == 1 => return &text[..=at],
            (None, ')') => depth -= 1,
            _ => {}
        }
    }
    text
}

/// Returns the text at a place in one line, cut if it is long.
fn text_of(source: &str, loc: Loc) -> String {
    let line = Vec::from_iter(source[loc.range()].split_whitespace()).join(" ");
    match line.char_indices().nth(SHOWN) {
        Some((cut, _)) => format!("{}..", &line[..cut]),
        None => line,
    }
}

impl Reader<'_> {
    /// Reports a kind of change that does not exist.
    fn unknown(&mut self, name: &Located<impl AsRef<str>>, nearest: Option<String>) {
        let hint = Some(
            "the changes are set, delete, rename, move, sha256, sha1, hash_md5, mask, replace, truncate, limit, \
             keep_keys, drop_events, drop_spans and any",
        );
        let problem = Problem::UnknownField { field: name.value.as_ref().into(), owner: "a change", nearest, hint };
        self.diagnostics.push(Diagnostic::new(problem, name.loc));
    }

    /// Compiles a condition on a span. Returns `None` if it is wrong.
    fn condition(&mut self, given: &Given) -> Option<Condition<SpanValue>> {
        let (text, style) = given.expression()?;
        let offsets = Offsets::new(self.source, given.loc, style, text);
        let template = bare(text, given.loc, &offsets, self.diagnostics);
        Condition::compile(text, &template, self.known, self.diagnostics)
    }
}
