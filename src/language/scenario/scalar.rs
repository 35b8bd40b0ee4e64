//! Scalars as values, whose types depend on how they are written.

use std::borrow::Cow;

use super::Scalar;
use super::fields::{Context, stray};
use crate::language::diagnostic::{Diagnostic, Problem, Role, short};
use crate::language::source::{Loc, Located};
use crate::language::template::{self, Part, Template};
use crate::language::yaml::{Core, Kind, Node, Style, core};

/// Returns a value in place of a wrong one, which has been reported. It has a name, so readers of it cause no further
/// reports.
pub fn unknown(loc: Loc) -> Scalar {
    Scalar::Expr(Template { parts: vec![template::error(loc)], loc })
}

/// Reads a scalar of `subject`, whose name is `key`.
pub fn scalar(cx: &mut Context, key: &Located<Cow<str>>, subject: &'static str, node: &Node) -> Scalar {
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
            cx.report(Problem::NullValue { subject, hint }, node.loc);
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

/// Checks that constant items of a list are of one type; the compiler checks those with expressions.
pub fn one_type(cx: &mut Context, items: &[Scalar]) {
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
