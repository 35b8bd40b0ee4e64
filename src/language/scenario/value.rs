//! The values of attributes and vars.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::fields::Context;
use super::scalar::{scalar, unknown};
use super::shared::Parameter;
use super::{Attribute, Value, Var, choice};
use crate::language::diagnostic::{Problem, short};
use crate::language::source::Located;
use crate::language::yaml::{Entry, Kind, Node};

/// Names that the expression language uses itself, so no var may have them.
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
/// The maximum number of levels of lists and maps.
const MOST_NESTED: usize = 15;
/// The words of the expression grammar.
const WORDS: [&str; 8] = ["true", "false", "and", "or", "not", "in", "if", "else"];

/// Returns the entries of a mapping from keys to values; a missing one is empty.
fn entries<'n>(cx: &mut Context, subject: &str, node: &'n Node<'n>) -> &'n [Entry<'n>] {
    match &node.kind {
        Kind::Mapping(entries) => entries,
        _ => {
            if !node.is_null() {
                cx.mistyped(subject, "a mapping of names to values", node, None);
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
            cx.report(Problem::Empty { subject: "an attribute's key".into() }, key.loc);
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
        check_name(cx, key);
        let value = value_of(cx, key, "a var", value);
        vars.push(Var { name: owned(key), value });
    }
    vars
}

/// Reads the `vars` of a shared span. A use must give values to those without one.
pub fn parameters(cx: &mut Context, node: Option<&Node>) -> Vec<Parameter> {
    let Some(node) = node else { return vec![] };
    let mut parameters = vec![];
    for Entry { key, value } in entries(cx, "`vars`", node) {
        check_name(cx, key);
        let default = if value.is_null() { None } else { Some(value_of(cx, key, "a var", value)) };
        parameters.push(Parameter { name: owned(key), default });
    }
    parameters
}

/// Reads the values that a use gives to the parameters of a shared span.
pub fn with(cx: &mut Context, node: Option<&Node>) -> Vec<Var> {
    let Some(node) = node else { return vec![] };
    let mut given = vec![];
    for Entry { key, value } in entries(cx, "`with`", node) {
        let value = value_of(cx, key, "a parameter", value);
        given.push(Var { name: owned(key), value });
    }
    given
}

/// Reports the name of a var if no expression can read it.
fn check_name(cx: &mut Context, key: &Located<Cow<str>>) {
    let name = &*key.value;
    if RESERVED.contains(&name.split('.').next().unwrap_or_default()) {
        cx.report(Problem::ReservedName { name: name.to_owned() }, key.loc);
    } else if !is_name(name) {
        cx.report(Problem::BadVarName { name: short(name) }, key.loc);
    }
}

fn owned(key: &Located<Cow<str>>) -> Located<String> {
    Located::new(key.value.to_string(), key.loc)
}

/// Reports whether the expression grammar reads a name as a path.
fn is_name(name: &str) -> bool {
    let mut segments = name.split('.');
    let word = |segment: &str| segment.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') && !segment.is_empty();
    let first = segments.next().unwrap_or_default();
    word(first) && !first.as_bytes()[0].is_ascii_digit() && !WORDS.contains(&first) && segments.all(word)
}

fn value_of(cx: &mut Context, key: &Located<Cow<str>>, subject: &'static str, node: &Node) -> Value {
    match &node.kind {
        Kind::Mapping(entries) if choice::is_choice(entries) => match choice::choice(cx, key, subject, node) {
            Some(choice) => Value::Choice(choice),
            None => Value::Scalar(unknown(node.loc)),
        },
        _ => nested(cx, key, subject, node, 0),
    }
}

/// Reads a value inside of `depth` lists and maps.
fn nested(cx: &mut Context, key: &Located<Cow<str>>, subject: &'static str, node: &Node, depth: usize) -> Value {
    let only = |name: &str| match &node.kind {
        Kind::Mapping(entries) if entries.len() == 1 && *entries[0].key.value == *name => Some(&entries[0]),
        _ => None,
    };
    let is_nest = matches!(node.kind, Kind::Sequence(_)) || only("map").is_some();
    if is_nest && depth == MOST_NESTED {
        cx.report(Problem::ValueTooDeep { limit: MOST_NESTED }, node.loc);
        return Value::Scalar(unknown(node.loc));
    }
    match &node.kind {
        Kind::Scalar { .. } => Value::Scalar(scalar(cx, key, subject, node)),
        Kind::Sequence(items) => {
            let items = items.iter().map(|item| nested(cx, key, subject, item, depth + 1)).collect();
            Value::List { items, loc: node.loc }
        }
        Kind::Mapping(_) => match (only("map"), only("bytes")) {
            (Some(entry), _) => map(cx, subject, &entry.value, depth + 1),
            (None, Some(entry)) => match bytes(cx, &entry.value) {
                Some(bytes) => Value::Bytes(Located::new(bytes, node.loc)),
                None => Value::Scalar(unknown(node.loc)),
            },
            (None, None) => {
                let instead = "write a key with dots for each value: `http.method: GET`";
                cx.mistyped(&format!("`{}`", short(&key.value)), "a value or a list", node, Some(instead.into()));
                Value::Scalar(unknown(node.loc))
            }
        },
        Kind::Broken => Value::Scalar(unknown(node.loc)),
    }
}

/// Reads the contents of `{map: {..}}`.
fn map(cx: &mut Context, subject: &'static str, node: &Node, depth: usize) -> Value {
    let mut attributes = vec![];
    for Entry { key, value } in entries(cx, "`map`", node) {
        if key.value.is_empty() {
            cx.report(Problem::Empty { subject: "a key of a map".into() }, key.loc);
            continue;
        }
        let value = nested(cx, key, subject, value, depth);
        attributes.push(Attribute { key: owned(key), value });
    }
    Value::Map { entries: attributes, loc: node.loc }
}

/// Reads the contents of `{bytes: ..}`, in base64.
fn bytes(cx: &mut Context, node: &Node) -> Option<Vec<u8>> {
    let text = cx.text("`bytes`", node)?;
    let bytes = STANDARD.decode(&text.value).ok();
    if bytes.is_none() {
        let instead = "write the bytes as `base64` prints them: AP8Q for 00 ff 10";
        cx.mistyped("`bytes`", "base64", node, Some(instead.into()));
    }
    bytes
}
