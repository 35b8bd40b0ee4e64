//! Percentages and weights.

use super::fields::Context;
use crate::language::diagnostic::{Problem, short};
use crate::language::source::Located;
use crate::language::yaml::{Core, Kind, Node, Style, core};

/// Reads a percentage, 0 to 100, with or without a `%` after it.
pub fn percent(cx: &mut Context, subject: &str, node: &Node) -> Option<Located<f64>> {
    let loc = node.loc;
    let signed = match &node.kind {
        Kind::Scalar { text, .. } => text.trim_end().strip_suffix('%').map(str::trim_end),
        _ => None,
    };
    let value = match signed.map(core) {
        Some(Core::Int(value)) => value as f64,
        Some(Core::Double(value)) => value,
        _ => cx.number(subject, "a percentage from 0 to 100", node)?,
    };
    if !(0.0..=100.0).contains(&value) {
        cx.report(Problem::PercentOutOfRange { value: describe(node) }, loc);
        return None;
    }
    if value > 0.0 && value < 1.0 && signed.is_none() {
        cx.report(Problem::FractionalPercent { value: describe(node) }, loc);
    }
    Some(Located::new(value, loc))
}

/// Reads a finite number that is not negative.
pub fn weight(cx: &mut Context, node: &Node) -> Option<Located<f64>> {
    let value = cx.number("`weight`", "a number", node)?;
    if value < 0.0 {
        cx.report(Problem::NegativeWeight { value: describe(node) }, node.loc);
        return None;
    }
    Some(Located::new(value, node.loc))
}

/// Reads a number of instances, 1 to 10,000.
pub fn instances(cx: &mut Context, node: &Node) -> Option<Located<u32>> {
    let value = match &node.kind {
        Kind::Scalar { text, style: Style::Plain } => core(text),
        _ => Core::Text,
    };
    match value {
        Core::Int(value @ 1..=10_000) => Some(Located::new(value as u32, node.loc)),
        Core::Int(_) | Core::OutOfRange => {
            let problem = Problem::NumberOutOfRange { value: describe(node), range: "from 1 to 10000" };
            cx.report(problem, node.loc);
            None
        }
        _ => {
            cx.mistyped("`instances`", "a whole number from 1 to 10000", node, None);
            None
        }
    }
}

/// Reads the resolution of a clock in ms, above 0 and at most a minute, and returns it in ns.
pub fn clock_resolution(cx: &mut Context, node: &Node) -> Option<Located<u64>> {
    let value = cx.number("`clock_resolution_ms`", "a number", node)?;
    let ns = (value * 1e6).round();
    if !(1.0..=60e9).contains(&ns) {
        let problem = Problem::NumberOutOfRange { value: describe(node), range: "from 0.000001 to 60000" };
        cx.report(problem, node.loc);
        return None;
    }
    Some(Located::new(ns as u64, node.loc))
}

/// Describes a scalar as it was written.
pub fn describe(node: &Node) -> String {
    match &node.kind {
        Kind::Scalar { text, .. } => short(text),
        _ => super::fields::describe(node),
    }
}
