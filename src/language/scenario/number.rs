//! Delays, percentages and weights.

use super::Delay;
use super::fields::{Context, Fields};
use crate::language::diagnostic::{Problem, short};
use crate::language::source::Located;
use crate::language::yaml::{Core, Kind, Node, Style, core};

/// No delay is longer, in ns; sums of delays along a trace must stay below it too.
const MAX_DELAY: f64 = (1u64 << 62) as f64;

const MS: f64 = 1e6;
const SECOND: f64 = 1e9;

/// `delay_ms` or `delay`: one number, or `[min, max]`.
pub fn delay(cx: &mut Context, fields: &Fields) -> Option<Delay> {
    let entry = fields.either(cx, "delay_ms", "delay")?;
    let (what, unit) = if &*entry.key.value == "delay_ms" { ("`delay_ms`", MS) } else { ("`delay`", SECOND) };
    let node = &*entry.value;
    let expected = "a number, or [min, max]";
    let loc = node.loc;
    match &node.kind {
        Kind::Sequence(items) => {
            let [min, max] = items.as_slice() else {
                let found = Problem::Mistyped {
                    what: what.into(),
                    expected,
                    found: format!("a list of {}", items.len()),
                    instead: None,
                };
                cx.report(found, loc);
                return None;
            };
            // Both, so that both are reported.
            let (low, high) = (nanoseconds(cx, what, min, unit), nanoseconds(cx, what, max, unit));
            let (low, high) = (low?, high?);
            if low > high {
                let problem = Problem::RangeUpsideDown { min: describe(min), max: describe(max) };
                cx.report(problem, loc);
                return None;
            }
            Some(Delay { min: low, max: high, loc })
        }
        Kind::Scalar { .. } if !node.is_null() => {
            let value = nanoseconds(cx, what, node, unit)?;
            Some(Delay { min: value, max: value, loc })
        }
        Kind::Mapping(_) => {
            let hint = "this version of tracegen knows no distributions".to_owned();
            cx.mistyped(what, expected, node, Some(hint));
            None
        }
        _ => {
            cx.mistyped(what, expected, node, None);
            None
        }
    }
}

fn nanoseconds(cx: &mut Context, what: &str, node: &Node, unit: f64) -> Option<u64> {
    let value = cx.number(what, "a number", node)?;
    if value < 0.0 {
        cx.report(Problem::NegativeDelay { value: describe(node) }, node.loc);
        return None;
    }
    // Rounded: 0.1 ms is exactly 100,000 ns.
    let value_ns = (value * unit).round();
    if value_ns >= MAX_DELAY {
        let problem = Problem::NumberOutOfRange { value: describe(node), range: "a delay below 146 years" };
        cx.report(problem, node.loc);
        return None;
    }
    Some(value_ns as u64)
}

/// 0 to 100, with or without a `%` behind it.
pub fn percent(cx: &mut Context, what: &str, node: &Node) -> Option<Located<f64>> {
    let loc = node.loc;
    let signed = match &node.kind {
        Kind::Scalar { text, .. } => text.trim_end().strip_suffix('%').map(str::trim_end),
        _ => None,
    };
    let value = match signed.map(core) {
        Some(Core::Int(value)) => value as f64,
        Some(Core::Double(value)) => value,
        _ => cx.number(what, "a percentage from 0 to 100", node)?,
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

/// A finite number that is not negative.
pub fn weight(cx: &mut Context, node: &Node) -> Option<Located<f64>> {
    let value = cx.number("`weight`", "a number", node)?;
    if value < 0.0 {
        cx.report(Problem::NegativeWeight { value: describe(node) }, node.loc);
        return None;
    }
    Some(Located::new(value, node.loc))
}

/// 1 to 1,000.
pub fn instances(cx: &mut Context, node: &Node) -> Option<Located<u32>> {
    let value = match &node.kind {
        Kind::Scalar { text, style: Style::Plain } => core(text),
        _ => Core::Text,
    };
    match value {
        Core::Int(value @ 1..=1000) => Some(Located::new(value as u32, node.loc)),
        Core::Int(_) | Core::OutOfRange => {
            let problem = Problem::NumberOutOfRange { value: describe(node), range: "from 1 to 1000" };
            cx.report(problem, node.loc);
            None
        }
        _ => {
            cx.mistyped("`instances`", "a whole number from 1 to 1000", node, None);
            None
        }
    }
}

/// A scalar as it was written.
fn describe(node: &Node) -> String {
    match &node.kind {
        Kind::Scalar { text, .. } => short(text),
        _ => super::fields::describe(node),
    }
}
