//! The checks of single expressions: their operands, parameters and constants.

use super::rule::{Checked, key_text, require, text, twice, within};
use super::violation::{Fault, Place, Violation};
use super::violations::Found;
use crate::plan::{Chance, Constant, Expr, ExprId, Program, TextId, limits};
use std::collections::HashSet;

pub(super) fn exprs(program: &Program, found: &mut Found) {
    let mut depths: Vec<u16> = Vec::with_capacity(program.exprs.len());
    for (i, expr) in program.exprs.iter().enumerate() {
        let place = Place::Expr(ExprId(i as u32));
        // An invalid expression counts as if it had no operands, because those above it may be valid.
        let depth = found.check(depth(place, expr, &depths)).unwrap_or(1);
        depths.push(depth);
        found.check(parameters(program, place, expr));
    }
}

/// Returns the number of levels of expressions in this one, given those of the expressions before it.
fn depth(place: Place, expr: &Expr, depths: &[u16]) -> Result<u16, Violation> {
    let mut depth = 0;
    for operand in expr.operands() {
        let below = depths.get(operand.index()).ok_or_else(|| place.broken(Fault::Operand { operand }))?;
        depth = depth.max(*below);
    }
    if depth == limits::EXPR_DEPTH { Err(place.broken(Fault::ExprDepth)) } else { Ok(depth + 1) }
}

fn parameters(program: &Program, place: Place, expr: &Expr) -> Checked {
    const UPSIDE_DOWN: &str = "min is greater than max";
    const DECIMALS: &str = "digits must be at most 15";
    const WIDTH: &str = "digits must be 1 to 1,024";
    const NO_ITEMS: &str = "there must be an item to choose";
    match expr {
        Expr::Const { value } => constant(program, place, value),
        Expr::Linked { key } => key_text(program, place, *key).map(|_| ()),
        Expr::Incident { incident } => within(place, "incident", incident.0, program.incidents.len()),
        Expr::RandomInt { min, max } => require(place, min <= max, UPSIDE_DOWN),
        Expr::RandomFloat { min, max, digits } => {
            require(place, min <= max, UPSIDE_DOWN)?;
            require(place, *digits <= limits::DECIMALS, DECIMALS)
        }
        Expr::RandomFloatBetween { digits, .. } | Expr::Round { digits, .. } => {
            require(place, *digits <= limits::DECIMALS, DECIMALS)
        }
        Expr::RandomBool { chance } => require(place, *chance <= Chance::ONE, "a chance is at most 2^32"),
        Expr::Lookup { items, .. } => {
            require(place, !items.is_empty(), NO_ITEMS)?;
            require(place, items.len().is_multiple_of(2), "there must be a value for each key")?;
            let mut keys = items.iter().step_by(2).map(|key| program.exprs.get(key.index()));
            let scalar = |key: Option<&Expr>| matches!(key, Some(Expr::Const { value }) if !value.is_nest());
            require(place, keys.all(scalar), "a key must be a constant, and no list")
        }
        Expr::Nth { items, .. } => require(place, !items.is_empty(), NO_ITEMS),
        Expr::Map { keys: names, values } => {
            require(place, names.len() == values.len(), "there must be a key for each value")?;
            keys(program, place, names.iter().copied())
        }
        Expr::RandomChoice { items } | Expr::StablePick { items, .. } => require(place, !items.is_empty(), NO_ITEMS),
        Expr::RandomWeighted { items, weights } => {
            require(place, !items.is_empty(), NO_ITEMS)?;
            require(place, items.len() == weights.len(), "there must be a weight for each item")?;
            weighted(place, weights.iter().copied())
        }
        Expr::RandomHex { digits } | Expr::StableHex { digits, .. } => {
            require(place, (1..=limits::WIDTH).contains(digits), WIDTH)
        }
        Expr::RandomHexUpTo { max, .. } => require(place, *max <= limits::WIDTH, "digits must be at most 1,024"),
        Expr::RandomText { max, .. } => {
            require(place, *max as usize <= limits::TEXT_BYTES, "a text has at most 1,048,576 characters")
        }
        Expr::Pad { width, .. } => require(place, *width <= limits::WIDTH, "width must be at most 1,024"),
        Expr::RandomZipf { n, s } => {
            require(place, (1..=limits::ZIPF_N).contains(n), "zipf's n must be 1 to 10,000,000")?;
            require(place, *s > 0.0 && *s <= limits::ZIPF_S, "zipf's s must be over 0 and at most 10")
        }
        _ => Ok(()),
    }
}

const TOO_DEEP: &str = "lists and maps stand at most 15 deep in each other";

/// Checks that no key of a map occurs twice.
fn keys(program: &Program, place: Place, keys: impl Iterator<Item = TextId>) -> Checked {
    let mut seen = HashSet::new();
    for key in keys {
        let text = key_text(program, place, key)?;
        if !seen.insert(key) {
            return Err(twice(place, "key", text));
        }
    }
    Ok(())
}

pub(super) const WEIGHT: &str = "a weight is a finite number, at least 0";

pub(super) fn weighted(place: Place, weights: impl Iterator<Item = f64>) -> Checked {
    let mut sum = 0.0;
    for weight in weights {
        require(place, weight.is_finite() && weight >= 0.0, WEIGHT)?;
        sum += weight;
    }
    if sum == 0.0 {
        return Err(place.broken(Fault::NoWeight));
    }
    require(place, f64::is_finite(sum), "the weights sum to more than a double holds")
}

pub(super) fn constant(program: &Program, place: Place, value: &Constant) -> Checked {
    match value {
        Constant::Bool(_) | Constant::Int(_) => Ok(()),
        Constant::Double(v) => require(place, v.is_finite(), "a double must be finite"),
        Constant::Text(id) => text(program, place, *id).map(|_| ()),
        Constant::Bytes(_) => Ok(()),
        Constant::List(_) | Constant::Map(_) => {
            require(place, value.depth() <= limits::NESTING, TOO_DEEP)?;
            if let Constant::Map(entries) = value {
                keys(program, place, entries.iter().map(|(key, _)| *key))?;
            }
            value.elements().try_for_each(|element| constant(program, place, element))
        }
    }
}
