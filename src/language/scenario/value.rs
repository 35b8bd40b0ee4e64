//! Values of attributes and vars: their types come from how the scalar was written.

use std::borrow::Cow;

use super::fields::{Context, stray};
use super::{Attribute, Scalar, Value, Var};
use crate::language::diagnostic::{Diagnostic, Problem, Role, short};
use crate::language::source::{Loc, Located};
use crate::language::template::{self, Part, Template};
use crate::language::yaml::{Core, Entry, Kind, Node, Style, core};

/// Names that expressions use themselves; no var may have one.
const RESERVED: [&str; 17] = [
    "random",
    "time",
    "trace",
    "span",
    "scenario",
    "vars",
    "parent",
    "root",
    "linked",
    "callee",
    "repeat",
    "retry",
    "error",
    "ok",
    "service",
    "instance",
    "context_key",
];
/// The words of the expression grammar.
const WORDS: [&str; 6] = ["true", "false", "and", "or", "not", "in"];

/// The entries of a mapping from keys to values; nothing is an empty one.
fn entries<'n>(cx: &mut Context, what: &str, node: &'n Node<'n>) -> &'n [Entry<'n>] {
    match &node.kind {
        Kind::Mapping(entries) => entries,
        _ => {
            if !node.is_null() {
                cx.mistyped(what, "a mapping of names to values", node, None);
            }
            &[]
        }
    }
}

pub fn attributes(cx: &mut Context, node: Option<&Node>) -> Vec<Attribute> {
    let Some(node) = node else { return vec![] };
    let mut attributes = vec![];
    for Entry { key, value } in entries(cx, "`attributes`", node) {
        if key.value.is_empty() {
            cx.report(Problem::Empty { what: "an attribute's key".into() }, key.loc);
            continue;
        }
        let value = value_of(cx, key, "an attribute", value);
        attributes.push(Attribute { key: owned(key), value });
    }
    attributes
}

pub fn vars(cx: &mut Context, node: Option<&Node>) -> Vec<Var> {
    let Some(node) = node else { return vec![] };
    let mut vars = vec![];
    for Entry { key, value } in entries(cx, "`vars`", node) {
        let name = &*key.value;
        if RESERVED.contains(&name.split('.').next().unwrap_or_default()) {
            cx.report(Problem::ReservedName { name: name.to_owned() }, key.loc);
        } else if !is_name(name) {
            cx.report(Problem::BadVarName { name: short(name) }, key.loc);
        }
        let value = value_of(cx, key, "a var", value);
        vars.push(Var { name: owned(key), value });
    }
    vars
}

fn owned(key: &Located<Cow<str>>) -> Located<String> {
    Located::new(key.value.to_string(), key.loc)
}

/// Whether the expression grammar reads it as a path.
fn is_name(name: &str) -> bool {
    let mut segments = name.split('.');
    let word = |segment: &str| segment.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') && !segment.is_empty();
    let first = segments.next().unwrap_or_default();
    word(first) && !first.as_bytes()[0].is_ascii_digit() && !WORDS.contains(&first) && segments.all(word)
}

/// A value whose mistake was reported: it has a name, so that who reads it is not told that there is none.
fn unknown(loc: Loc) -> Scalar {
    Scalar::Expr(Template { parts: vec![template::error(loc)], loc })
}

fn value_of(cx: &mut Context, key: &Located<Cow<str>>, what: &'static str, node: &Node) -> Value {
    match &node.kind {
        Kind::Scalar { .. } => Value::Scalar(scalar(cx, key, what, node)),
        Kind::Sequence(items) => {
            let items: Vec<Scalar> = items.iter().map(|item| scalar(cx, key, what, item)).collect();
            one_type(cx, &items);
            Value::List { items, loc: node.loc }
        }
        Kind::Mapping(entries) => {
            let choice = entries.iter().any(|entry| &*entry.key.value == "choice");
            let instead = if choice {
                "`choice` is not supported by this version; write <<random.choice([..])>> or <<random.weighted({..})>>"
            } else {
                "write a key with dots for each value: `http.method: GET`"
            };
            cx.mistyped(&format!("`{}`", short(&key.value)), "a value or a list", node, Some(instead.into()));
            Value::Scalar(unknown(node.loc))
        }
        Kind::Broken => Value::Scalar(unknown(node.loc)),
    }
}

fn scalar(cx: &mut Context, key: &Located<Cow<str>>, what: &'static str, node: &Node) -> Scalar {
    let Kind::Scalar { text, style } = &node.kind else {
        cx.mistyped(&format!("an item of `{}`", short(&key.value)), "a single value", node, None);
        return unknown(node.loc);
    };
    if *style != Style::Plain {
        return text_or_expression(cx, text, *style, node.loc);
    }
    match core(text) {
        Core::Null => {
            let hint = if node.loc == key.loc { stray(cx.text, key) } else { None };
            cx.report(Problem::NullValue { what, hint }, node.loc);
            unknown(node.loc)
        }
        Core::Bool(value) => Scalar::Bool(Located::new(value, node.loc)),
        Core::Int(value) => {
            let digits = text.trim_start_matches(['-', '+']);
            if digits.len() > 1 && digits.starts_with('0') && digits.bytes().all(|b| b.is_ascii_digit()) {
                let problem = Problem::LeadingZero { written: short(text), value: value.to_string() };
                cx.report(problem, node.loc);
            }
            Scalar::Int(Located::new(value, node.loc))
        }
        Core::Double(value) => {
            if key.value.to_lowercase().contains("version") {
                let problem = Problem::LooksLikeVersion { written: short(text), value: value.to_string() };
                cx.report(problem, node.loc);
            }
            Scalar::Double(Located::new(value, node.loc))
        }
        Core::OutOfRange => {
            let range = "a finite number; a whole one fits 64 bits";
            cx.report(Problem::NumberOutOfRange { value: short(text), range }, node.loc);
            unknown(node.loc)
        }
        Core::Text => {
            if ["yes", "no", "on", "off", "y", "n"].iter().any(|word| text.eq_ignore_ascii_case(word)) {
                cx.report(Problem::LooksBoolean { word: text.to_string() }, node.loc);
            }
            text_or_expression(cx, text, *style, node.loc)
        }
    }
}

fn text_or_expression(cx: &mut Context, text: &str, style: Style, loc: Loc) -> Scalar {
    let template = cx.parse(text, style, loc);
    if style.is_quoted() {
        return Scalar::Text(template);
    }
    if template.single().is_some() {
        return Scalar::Expr(template);
    }
    if let [Part::Expr(_), Part::Text(rest)] = template.parts.as_slice()
        && style == Style::Block
        && rest.trim().is_empty()
    {
        cx.report(Problem::NewlineAfterExpression, loc);
    }
    Scalar::Text(template)
}

/// Constant items of a list must be of one type; what an expression is, the compiler knows.
fn one_type(cx: &mut Context, items: &[Scalar]) {
    let mut first: Option<(&'static str, Loc)> = None;
    for item in items {
        let (name, loc) = match item {
            Scalar::Bool(value) => ("a boolean", value.loc),
            Scalar::Int(value) => ("an int", value.loc),
            Scalar::Double(value) => ("a double", value.loc),
            Scalar::Text(template) => ("text", template.loc),
            Scalar::Expr(_) => continue,
        };
        match first {
            None => first = Some((name, loc)),
            Some((expected, place)) if expected != name => {
                let problem = Problem::MixedList { first: expected, other: name };
                cx.add(Diagnostic::new(problem, loc).related(Role::Item(expected), place));
                return;
            }
            Some(_) => {}
        }
    }
}
