//! The functions `random.*`, `time.*`, `trace.*` and `span.*`.

use super::argument::{Argument, Signature};
use super::{Expressions, Scope, Typed};
use crate::compiler::names::Site;
use crate::compiler::types::{Kind, Type};
use crate::language::diagnostic::{Problem, Role, Unavailable};
use crate::language::source::Loc;
use crate::language::template::{Expr as Ast, Node};
use crate::plan::{Chance, Constant, Expr, limits};
use std::collections::HashMap;

const fn signature(name: &'static str, usage: &'static str, least: usize, most: usize) -> Signature {
    Signature { name, usage, least, most }
}

const FUNCTIONS: [Signature; 23] = [
    signature("random.int", "random.int(min, max)", 2, 2),
    signature("random.float", "random.float(min, max, digits)", 2, 3),
    signature("random.bool", "random.bool(percent)", 0, 1),
    signature("random.choice", "random.choice(['a', 'b'])", 1, 1),
    signature("random.weighted", "random.weighted({'a': 9, 'b': 1})", 1, 1),
    signature("random.uuid", "random.uuid", 0, 0),
    signature("random.hex", "random.hex(n)", 1, 1),
    signature("random.text", "random.text(n)", 1, 1),
    signature("random.ipv4", "random.ipv4", 0, 0),
    signature("random.ipv6", "random.ipv6", 0, 0),
    signature("random.user_agent", "random.user_agent", 0, 0),
    signature("random.zipf", "random.zipf(n, s)", 2, 2),
    signature("random.normal", "random.normal(mean, sd)", 2, 2),
    signature("random.lognormal", "random.lognormal(p50, p99)", 2, 2),
    signature("random.exp", "random.exp(mean)", 1, 1),
    signature("random.pareto", "random.pareto(min, alpha)", 2, 2),
    signature("time.now", "time.now", 0, 0),
    signature("time.iso", "time.iso", 0, 0),
    signature("time.unix_ms", "time.unix_ms", 0, 0),
    signature("time.unix_nano", "time.unix_nano", 0, 0),
    signature("trace.id", "trace.id", 0, 0),
    signature("trace.index", "trace.index", 0, 0),
    signature("span.id", "span.id", 0, 0),
];

/// The number of decimals of `random.float(a, b)`.
const FLOAT_DIGITS: i64 = 2;

impl Expressions<'_> {
    pub(super) fn function(&mut self, name: &str, loc: Loc, arguments: &[Node]) -> Option<Typed> {
        let Some(signature) = FUNCTIONS.iter().find(|f| f.name == name) else {
            let nearest = self.report.nearest(name, FUNCTIONS.iter().map(|f| f.name));
            return self.fail(Problem::UnknownFunction { name: name.into(), nearest }, loc);
        };
        let why = match self.scope {
            Scope::Service { .. } => Some(Unavailable::InServices),
            Scope::Trace { site: Site::Var { .. }, .. } if name == "span.id" => Some(Unavailable::BeforeSpans),
            Scope::Trace { .. } => None,
        };
        if let Some(why) = why {
            return self.fail(Problem::NotAvailable { name: name.into(), why }, loc);
        }
        self.count(signature, arguments.len(), loc)?;
        match (name, arguments) {
            ("random.int", [min, max]) => self.random_int(signature, min, max),
            ("random.float", [min, max, digits @ ..]) => self.random_float(signature, min, max, digits.first()),
            ("random.bool", percent) => self.random_bool(signature, percent.first()),
            ("random.choice", [items]) => {
                let items = self.items(signature.usage, items)?;
                let ty = either(&items);
                self.add(Expr::RandomChoice { items: items.iter().map(|(item, _)| item.expr).collect() }, ty)
            }
            ("random.weighted", [weights]) => self.random_weighted(signature, weights),
            ("random.uuid", _) => self.add(Expr::RandomUuid, Kind::Text),
            ("random.hex", [digits]) => match self.counted(signature, digits, 1, limits::WIDTH as usize)? {
                (count, max) if count.typed.ty.kind == Kind::Int && self.int_of(count).is_some() => {
                    self.add(Expr::RandomHex { digits: max }, Kind::Text)
                }
                (count, max) => {
                    let ty = Type { kind: Kind::Text, optional: count.typed.ty.optional };
                    self.add(Expr::RandomHexUpTo { count: count.typed.expr, max }, ty)
                }
            },
            ("random.text", [characters]) => {
                let (count, max) = self.counted(signature, characters, 0, limits::TEXT_BYTES)?;
                let ty = Type { kind: Kind::Text, optional: count.typed.ty.optional };
                self.add(Expr::RandomText { count: count.typed.expr, max }, ty)
            }
            ("random.ipv4", _) => self.add(Expr::RandomIpv4, Kind::Text),
            ("random.ipv6", _) => self.add(Expr::RandomIpv6, Kind::Text),
            ("random.user_agent", _) => self.add(Expr::RandomUserAgent, Kind::Text),
            ("random.zipf", [n, s]) => {
                let n = self.known_int(signature, n, 1, limits::ZIPF_N as i64);
                let (s_loc, s) = (s.loc, self.known_number(signature, s));
                let (n, s) = (n?, s?);
                if !(s > 0.0 && s <= limits::ZIPF_S) {
                    return self.out_of_range(signature, "above 0 and at most 10".into(), s.to_string(), s_loc);
                }
                self.add(Expr::RandomZipf { n: n as u64, s }, Kind::Int)
            }
            ("random.normal", [mean, stddev]) => {
                let (mean, stddev) = self.numbers(signature, mean, stddev)?;
                if let Some(value) = self.number_of(stddev)
                    && value < 0.0
                {
                    return self.out_of_range(signature, "0 or more".into(), value.to_string(), stddev.loc);
                }
                let expr = Expr::RandomNormal { mean: mean.typed.expr, stddev: stddev.typed.expr };
                self.add(expr, double(&[mean, stddev]))
            }
            ("random.lognormal", [p50, p99]) => {
                let (p50, p99) = self.numbers(signature, p50, p99)?;
                self.above(signature, p50, 0.0)?;
                match (self.number_of(p50), self.number_of(p99)) {
                    (Some(low), Some(high)) if low >= high => {
                        return self.out_of_range(signature, format!("above p50 ({low})"), high.to_string(), p99.loc);
                    }
                    _ => self.above(signature, p99, 0.0)?,
                }
                let expr = Expr::RandomLognormal { p50: p50.typed.expr, p99: p99.typed.expr };
                self.add(expr, double(&[p50, p99]))
            }
            ("random.exp", [mean]) => {
                let mean = self.number_argument(signature, mean)?;
                self.above(signature, mean, 0.0)?;
                self.add(Expr::RandomExp { mean: mean.typed.expr }, double(&[mean]))
            }
            ("random.pareto", [min, alpha]) => {
                let (min, alpha) = self.numbers(signature, min, alpha)?;
                let checked = (self.above(signature, min, 0.0), self.above(signature, alpha, 0.0));
                checked.0.and(checked.1)?;
                let expr = Expr::RandomPareto { min: min.typed.expr, alpha: alpha.typed.expr };
                self.add(expr, double(&[min, alpha]))
            }
            ("time.now", _) => self.add(Expr::TimeUnix, Kind::Int),
            ("time.iso", _) => self.add(Expr::TimeIso, Kind::Text),
            ("time.unix_ms", _) => self.add(Expr::TimeUnixMs, Kind::Int),
            ("time.unix_nano", _) => self.add(Expr::TimeUnixNano, Kind::Int),
            ("trace.id", _) => self.add(Expr::TraceId, Kind::Text),
            ("trace.index", _) => self.add(Expr::TraceIndex, Kind::Int),
            ("span.id", _) => self.add(Expr::SpanId, Kind::Text),
            // The table has no other name, and each has the arguments that the table lists.
            _ => None,
        }
    }

    /// Compiles a number of characters, known or computed, and returns it with its maximum.
    fn counted(
        &mut self,
        signature: &'static Signature,
        node: &Node,
        least: i64,
        most: usize,
    ) -> Option<(Argument, u32)> {
        let argument = self.int(signature, node)?;
        let found = match self.int_of(argument) {
            Some(value) if value < least => value as f64,
            _ => match self.interval(argument.typed) {
                Some(interval) => interval.max,
                None => return self.fail(Problem::Unbounded { usage: signature.usage }, argument.loc),
            },
        };
        let is_known = self.int_of(argument).is_some();
        if found > most as f64 || is_known && found < least as f64 {
            let allowed = if is_known { format!("{least} to {most}") } else { format!("at most {most}") };
            return self.out_of_range(signature, allowed, found.to_string(), argument.loc);
        }
        // A negative number has the same effect as 0.
        Some((argument, found.max(0.0) as u32))
    }

    fn numbers(&mut self, signature: &'static Signature, a: &Node, b: &Node) -> Option<(Argument, Argument)> {
        let (a, b) = (self.number_argument(signature, a), self.number_argument(signature, b));
        a.zip(b)
    }

    fn random_int(&mut self, signature: &'static Signature, min: &Node, max: &Node) -> Option<Typed> {
        let (a, b) = (self.int(signature, min), self.int(signature, max));
        let (a, b) = (a?, b?);
        match (self.int_of(a), self.int_of(b)) {
            (Some(min), Some(max)) if min > max => self.upside_down(signature, min.to_string(), max.to_string(), a, b),
            (Some(min), Some(max)) => self.add(Expr::RandomInt { min, max }, Kind::Int),
            _ => {
                let ty = Type { kind: Kind::Int, optional: optional(&[a, b]) };
                self.add(Expr::RandomIntBetween { min: a.typed.expr, max: b.typed.expr }, ty)
            }
        }
    }

    fn random_float(
        &mut self,
        signature: &'static Signature,
        min: &Node,
        max: &Node,
        digits: Option<&Node>,
    ) -> Option<Typed> {
        let ends = self.numbers(signature, min, max);
        let digits = match digits {
            Some(digits) => self.known_int(signature, digits, 0, limits::DECIMALS.into())?,
            None => FLOAT_DIGITS,
        } as u8;
        let (a, b) = ends?;
        let (Some(min), Some(max)) = (self.number_of(a), self.number_of(b)) else {
            let expr = Expr::RandomFloatBetween { min: a.typed.expr, max: b.typed.expr, digits };
            return self.add(expr, double(&[a, b]));
        };
        if min > max {
            return self.upside_down(signature, min.to_string(), max.to_string(), a, b);
        }
        let Some((low, high)) = units(min, digits, Rounding::Up).zip(units(max, digits, Rounding::Down)) else {
            let found = format!("{min} to {max} with {digits} digits");
            return self.out_of_range(signature, "at most 18 digits in all".into(), found, b.loc);
        };
        if low > high {
            let allowed = format!("a range that holds a number of {digits} digits");
            return self.out_of_range(signature, allowed, format!("{min} to {max}"), b.loc);
        }
        self.add(Expr::RandomFloat { min: low, max: high, digits }, Kind::Double)
    }

    fn random_bool(&mut self, signature: &'static Signature, percent: Option<&Node>) -> Option<Typed> {
        let percent = match percent {
            None => 50.0,
            Some(node) => {
                let argument = self.argument(node)?;
                let constant = self.tables.constant_of(argument.typed.expr);
                let (value, has_sign) = match constant {
                    Some(Constant::Text(text)) => {
                        let number = self.tables.text_of(*text).strip_suffix('%').map(|n| n.trim_end().parse().ok());
                        (number.flatten(), true)
                    }
                    Some(Constant::Int(value)) => (Some(*value as f64), false),
                    Some(Constant::Double(value)) => (Some(*value), false),
                    Some(_) => (None, false),
                    None if argument.typed.ty.kind.may_be_number() => {
                        return self.fail(Problem::ArgumentNotConstant { usage: signature.usage }, node.loc);
                    }
                    None => (None, false),
                };
                let Some(value) = value else {
                    return self.wrong_type(signature, "a percentage", argument.typed.ty.kind, argument);
                };
                if !(0.0..=100.0).contains(&value) {
                    return self.out_of_range(signature, "0 to 100".into(), value.to_string(), node.loc);
                }
                if value > 0.0 && value < 1.0 && !has_sign {
                    self.report.add(Problem::FractionalPercent { value: value.to_string() }, node.loc);
                }
                value
            }
        };
        self.add(Expr::RandomBool { chance: Chance::from_percent(percent) }, Kind::Bool)
    }

    fn random_weighted(&mut self, signature: &'static Signature, node: &Node) -> Option<Typed> {
        let Ast::Map(entries) = &*node.value else {
            let argument = self.argument(node)?;
            return self.wrong_type(signature, "a mapping of values to weights", argument.typed.ty.kind, argument);
        };
        let mut items = Vec::with_capacity(entries.len());
        let mut weights = Vec::with_capacity(entries.len());
        let mut seen = HashMap::new();
        let mut whole = true;
        for (key, weight) in entries {
            let (item, value) = (self.node(key), self.known_number(signature, weight));
            let (Some(item), Some(value)) = (item, value) else {
                whole = false;
                continue;
            };
            if value < 0.0 {
                self.fail::<()>(Problem::NegativeWeight { value: value.to_string() }, weight.loc);
                whole = false;
            }
            if self.tables.constant_of(item.expr).is_some()
                && let Some(first) = seen.insert(item.expr, key.loc)
            {
                self.report.add_related(Problem::DuplicateChoice, key.loc, Role::First, [first]);
                whole = false;
            }
            items.push((item, key.loc));
            weights.push(value);
        }
        if !whole {
            return None;
        }
        if items.is_empty() {
            return self.fail(Problem::EmptyList { usage: signature.usage }, node.loc);
        }
        let sum: f64 = weights.iter().sum();
        if sum <= 0.0 {
            return self.fail(Problem::WeightSum, node.loc);
        }
        if sum == f64::INFINITY {
            return self.fail(Problem::WeightOverflow, node.loc);
        }
        let ty = either(&items);
        let items = items.iter().map(|(item, _)| item.expr).collect();
        self.add(Expr::RandomWeighted { items, weights: weights.into() }, ty)
    }

    fn upside_down<T>(
        &mut self,
        signature: &'static Signature,
        min: String,
        max: String,
        a: Argument,
        b: Argument,
    ) -> Option<T> {
        let loc = Loc { end: b.loc.end.max(a.loc.end), ..a.loc };
        self.fail(Problem::ArgumentsUpsideDown { usage: signature.usage, min, max }, loc)
    }
}

fn optional(arguments: &[Argument]) -> bool {
    arguments.iter().any(|argument| argument.typed.ty.optional)
}

fn double(arguments: &[Argument]) -> Type {
    Type { kind: Kind::Double, optional: optional(arguments) }
}

/// Returns the common type of the items.
pub(super) fn either(items: &[(Typed, Loc)]) -> Type {
    let kinds = items.iter().map(|(item, _)| item.ty.kind);
    let kind = kinds.reduce(Kind::or).unwrap_or(Kind::Unknown);
    Type { kind, optional: items.iter().any(|(item, _)| item.ty.optional) }
}

#[derive(Clone, Copy, PartialEq)]
enum Rounding {
    Up,
    Down,
}

/// Returns `value` in units of 10^-digits, rounded up or down to a whole number. The result is exact, because it is
/// computed from the shortest decimal that reads back as `value`, which is what the user wrote.
fn units(value: f64, digits: u8, rounding: Rounding) -> Option<i64> {
    let text = format!("{}", value.abs());
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    let digits = digits as usize;
    let kept = &fraction[..fraction.len().min(digits)];
    let rest = fraction[kept.len()..].bytes().any(|b| b != b'0');
    let magnitude: i64 = format!("{whole}{kept}{:0<1$}", "", digits - kept.len()).parse().ok()?;
    let away_from_zero = rest && (value < 0.0) == (rounding == Rounding::Down);
    let magnitude = magnitude.checked_add(away_from_zero as i64)?;
    Some(if value < 0.0 { -magnitude } else { magnitude })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_exact_and_stay_inside_the_range() {
        use Rounding::*;
        assert_eq!(units(10.0, 2, Up), Some(1000));
        assert_eq!(units(0.07, 2, Up), Some(7));
        assert_eq!(units(1.005, 2, Up), Some(101));
        assert_eq!(units(1.005, 2, Down), Some(100));
        assert_eq!(units(-1.005, 2, Up), Some(-100));
        assert_eq!(units(-1.005, 2, Down), Some(-101));
        assert_eq!(units(3.0, 0, Down), Some(3));
        assert_eq!(units(1e18, 2, Down), None);
        assert_eq!(units(1e-300, 15, Down), Some(0));
    }
}
