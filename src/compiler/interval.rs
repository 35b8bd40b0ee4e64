//! The ranges of numbers, as far as they follow from the expressions.

use super::typed::Slot;
use crate::plan::{Constant, Expr, ExprId, Operator};
use foldhash::{HashMap, HashMapExt};

/// The maximum depth of expressions to examine, also through vars, of which there may be very many.
const MOST_NESTED: usize = 256;

/// The range of a number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    pub min: f64,
    pub max: f64,
    /// Whether the number is an int.
    whole: bool,
}

/// Returns the range of an expression's value, or `None` if it is unlimited or the value is not a number. `slots` are those
/// of the expression's scenario.
pub fn interval(exprs: &[Expr], slots: &[Slot], id: ExprId) -> Option<Interval> {
    Search { exprs, slots, depth: 0, known: HashMap::new() }.find(id)
}

struct Search<'a> {
    exprs: &'a [Expr],
    slots: &'a [Slot],
    /// The number of expressions that are being examined, each for the one before.
    depth: usize,
    /// The ranges found before: an expression may use the same operand many times, and so may those above it.
    known: HashMap<ExprId, Option<Interval>>,
}

impl Interval {
    fn ints(min: i64, max: i64) -> Interval {
        Interval { min: min as f64, max: max as f64, whole: true }
    }

    /// Returns the range of a value from one of two ranges.
    fn or(self, other: Interval) -> Interval {
        Interval { min: self.min.min(other.min), max: self.max.max(other.max), whole: self.whole && other.whole }
    }

    /// Returns the range of a function that never decreases.
    fn map(self, f: impl Fn(f64) -> f64) -> Interval {
        Interval { min: f(self.min), max: f(self.max), ..self }
    }

    /// Returns the range of a function of two numbers that has its extremes at their ends.
    fn with(self, other: Interval, f: impl Fn(f64, f64) -> f64) -> Option<Interval> {
        let ends = [(self.min, other.min), (self.min, other.max), (self.max, other.min), (self.max, other.max)];
        let values = ends.map(|(a, b)| f(a, b));
        let (min, max) =
            values.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(min, max), v| (min.min(*v), max.max(*v)));
        // A value that is not finite limits nothing.
        let finite = values.iter().all(|v| v.is_finite());
        finite.then_some(Interval { min, max, whole: self.whole && other.whole })
    }

    fn clamp(self, low: Interval, high: Interval) -> Interval {
        // The result is the number itself, or an end that the number can exceed.
        let (mut min, mut max) = (self.min.max(low.min), self.max.min(high.max));
        if self.max > high.min {
            min = min.min(high.min);
        }
        if self.min < low.max {
            max = max.max(low.max);
        }
        Interval { min, max, whole: self.whole && low.whole && high.whole }
    }

    fn rest(self, divisor: Interval) -> Option<Interval> {
        if divisor.min <= 0.0 {
            return None;
        }
        let whole = self.whole && divisor.whole;
        let most = if whole { divisor.max - 1.0 } else { divisor.max };
        // A number that is not negative does not become larger.
        let max = if self.min >= 0.0 { most.min(self.max) } else { most };
        Some(Interval { min: 0.0, max, whole })
    }
}

impl Search<'_> {
    fn find(&mut self, id: ExprId) -> Option<Interval> {
        if let Some(known) = self.known.get(&id) {
            return *known;
        }
        // Operands come before the expressions that use them, and slots are filled before they are read, so this ends.
        self.depth += 1;
        let found = if self.depth > MOST_NESTED { None } else { self.look(id) };
        self.depth -= 1;
        self.known.insert(id, found);
        found
    }

    fn look(&mut self, id: ExprId) -> Option<Interval> {
        let exprs = self.exprs;
        match &exprs[id.index()] {
            Expr::Const { value: Constant::Int(value) } => Some(Interval::ints(*value, *value)),
            Expr::Const { value: Constant::Double(value) } => Some(Interval { min: *value, max: *value, whole: false }),
            Expr::Slot { slot } => self.find(self.slots.get(slot.index())?.value?),
            Expr::RandomInt { min, max } => Some(Interval::ints(*min, *max)),
            Expr::RandomIntBetween { min, max } => {
                let ends = self.either([*min, *max])?.map(f64::trunc);
                Some(Interval { whole: true, ..ends })
            }
            Expr::RandomFloat { min, max, digits } => {
                let unit = 10f64.powi((*digits).into());
                Some(Interval { min: *min as f64 / unit, max: *max as f64 / unit, whole: false })
            }
            Expr::RandomFloatBetween { min, max, digits } => {
                let unit = 10f64.powi((*digits).into());
                let ends = self.either([*min, *max])?.map(|v| (v * unit).round() / unit);
                Some(Interval { whole: false, ..ends })
            }
            Expr::RandomZipf { n, .. } => Some(Interval::ints(1, *n as i64)),
            Expr::RandomChoice { items } | Expr::RandomWeighted { items, .. } => self.either(items.iter().copied()),
            Expr::StablePick { items, .. } | Expr::Nth { items, .. } => self.either(items.iter().copied()),
            Expr::Lookup { items, .. } => self.either(items.iter().skip(1).step_by(2).copied()),
            Expr::If { then, otherwise, .. } => self.either([*then, *otherwise]),
            Expr::Default { operand, or } => self.either([*operand, *or]),
            Expr::Omit { operand, .. } => self.find(*operand),
            Expr::ToDouble { operand } => Some(Interval { whole: false, ..self.find(*operand)? }),
            Expr::ToInt { operand } if is_bool(&exprs[operand.index()]) => Some(Interval::ints(0, 1)),
            Expr::ToInt { operand } => Some(Interval { whole: true, ..self.find(*operand)?.map(f64::trunc) }),
            Expr::Round { operand, digits } => {
                let unit = 10f64.powi((*digits).into());
                let rounded = self.find(*operand)?.map(|v| (v * unit).round() / unit);
                Some(Interval { whole: false, ..rounded })
            }
            Expr::Clamp { operand, min, max } => {
                let (low, high) = (self.find(*min)?, self.find(*max)?);
                match self.find(*operand) {
                    Some(operand) => Some(operand.clamp(low, high)),
                    None => Some(Interval { whole: false, ..low.or(high) }),
                }
            }
            Expr::Neg { operand } => {
                let operand = self.find(*operand)?;
                Some(Interval { min: -operand.max, max: -operand.min, ..operand })
            }
            Expr::Binary { operator, left, right } => {
                let (a, b) = (self.find(*left)?, self.find(*right)?);
                match operator {
                    Operator::Add => a.with(b, |a, b| a + b),
                    Operator::Sub => a.with(b, |a, b| a - b),
                    Operator::Mul => a.with(b, |a, b| a * b),
                    Operator::Div if b.min > 0.0 || b.max < 0.0 => {
                        Some(Interval { whole: false, ..a.with(b, |a, b| a / b)? })
                    }
                    Operator::Rem => a.rest(b),
                    _ => None,
                }
            }
            // No service has more than 10,000 instances.
            Expr::InstanceIndex => Some(Interval::ints(0, 9_999)),
            Expr::TraceIndex => Some(Interval::ints(0, 1 << 48)),
            _ => None,
        }
    }

    /// Returns the range of a value that is one of these.
    fn either(&mut self, choices: impl IntoIterator<Item = ExprId>) -> Option<Interval> {
        let mut whole: Option<Interval> = None;
        for id in choices {
            let found = self.find(id)?;
            whole = Some(whole.map_or(found, |whole| whole.or(found)));
        }
        whole
    }
}

fn is_bool(expr: &Expr) -> bool {
    match expr {
        Expr::RandomBool { .. } | Expr::ToBool { .. } | Expr::Not { .. } | Expr::In { .. } => true,
        Expr::Binary { operator, .. } => {
            !matches!(operator, Operator::Add | Operator::Sub | Operator::Mul | Operator::Div | Operator::Rem)
        }
        Expr::Const { value } => matches!(value, Constant::Bool(_)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compiler::START;
    use crate::plan::SlotId;

    /// Returns the range of the last of some expressions; the slots hold the first ones.
    fn ends(exprs: &[Expr]) -> Option<(f64, f64)> {
        let slot = |i| Slot { name: String::new(), value: Some(ExprId(i)), loc: START };
        let slots: Vec<Slot> = (0..2).map(slot).collect();
        let found = interval(exprs, &slots, ExprId(exprs.len() as u32 - 1))?;
        Some((found.min, found.max))
    }

    fn int(value: i64) -> Expr {
        Expr::Const { value: Constant::Int(value) }
    }

    fn binary(operator: Operator, left: Expr, right: Expr) -> Option<(f64, f64)> {
        ends(&[left, right, Expr::Binary { operator, left: ExprId(0), right: ExprId(1) }])
    }

    #[test]
    fn arithmetic_goes_by_the_ends() {
        let (dice, signed) = (Expr::RandomInt { min: 1, max: 6 }, Expr::RandomInt { min: -3, max: 2 });
        assert_eq!(binary(Operator::Add, dice.clone(), signed.clone()), Some((-2.0, 8.0)));
        assert_eq!(binary(Operator::Sub, dice.clone(), signed.clone()), Some((-1.0, 9.0)));
        assert_eq!(binary(Operator::Mul, dice.clone(), signed.clone()), Some((-18.0, 12.0)));
        assert_eq!(binary(Operator::Mul, signed.clone(), signed.clone()), Some((-6.0, 9.0)));
        assert_eq!(binary(Operator::Div, signed.clone(), dice.clone()), Some((-3.0, 2.0)));
        assert_eq!(binary(Operator::Div, dice.clone(), signed.clone()), None);
        assert_eq!(binary(Operator::Rem, signed.clone(), int(4)), Some((0.0, 3.0)));
        assert_eq!(binary(Operator::Rem, dice.clone(), int(100)), Some((0.0, 6.0)));
        assert_eq!(binary(Operator::Rem, dice.clone(), signed), None);
        assert_eq!(binary(Operator::Add, dice, Expr::RandomUuid), None);
    }

    #[test]
    fn choices_take_in_all_they_may_be() {
        let items = [ExprId(0), ExprId(1)];
        let (low, high) = (int(-7), Expr::RandomZipf { n: 40, s: 1.0 });
        let ends_of = |expr: Expr| ends(&[low.clone(), high.clone(), Expr::TimeUnix, expr]);
        for expr in [
            Expr::RandomChoice { items: items.into() },
            Expr::RandomWeighted { items: items.into(), weights: [1.0, 2.0].into() },
            Expr::StablePick { operand: ExprId(2), items: items.into() },
            Expr::Nth { operand: ExprId(2), items: items.into() },
            Expr::If { condition: ExprId(2), then: ExprId(0), otherwise: ExprId(1) },
            Expr::Default { operand: ExprId(1), or: ExprId(0) },
            Expr::RandomIntBetween { min: ExprId(0), max: ExprId(1) },
        ] {
            assert_eq!(ends_of(expr.clone()), Some((-7.0, 40.0)), "{expr:?}");
        }
        let looked_up = Expr::Lookup { operand: ExprId(2), items: [ExprId(0), ExprId(1), ExprId(0), ExprId(1)].into() };
        assert_eq!(ends_of(looked_up), Some((1.0, 40.0)));
        assert_eq!(ends_of(Expr::RandomChoice { items: [ExprId(0), ExprId(2)].into() }), None);
        assert_eq!(ends_of(Expr::Slot { slot: SlotId(1) }), Some((1.0, 40.0)));
        assert_eq!(ends_of(Expr::Slot { slot: SlotId(9) }), None);
        assert_eq!(ends_of(Expr::Neg { operand: ExprId(1) }), Some((-40.0, -1.0)));
    }

    #[test]
    fn a_clamp_bounds_what_has_no_bound() {
        let clamp = |operand: Expr| {
            ends(&[int(0), int(10), operand, Expr::Clamp { operand: ExprId(2), min: ExprId(0), max: ExprId(1) }])
        };
        assert_eq!(clamp(Expr::TimeUnix), Some((0.0, 10.0)));
        for (min, max, expected) in [
            (3, 5, (3.0, 5.0)),
            (-3, 5, (0.0, 5.0)),
            (3, 50, (3.0, 10.0)),
            (-3, 50, (0.0, 10.0)),
            (-9, -3, (0.0, 0.0)),
            (30, 50, (10.0, 10.0)),
        ] {
            assert_eq!(clamp(Expr::RandomInt { min, max }), Some(expected), "{min}..{max}");
        }
    }

    #[test]
    fn conversions_keep_what_is_known() {
        let ends_of = |operand: Expr, expr: fn(ExprId) -> Expr| ends(&[operand, expr(ExprId(0))]);
        let float = || Expr::RandomFloat { min: -250, max: 999, digits: 2 };
        assert_eq!(ends(&[float()]), Some((-2.5, 9.99)));
        assert_eq!(ends_of(float(), |operand| Expr::ToInt { operand }), Some((-2.0, 9.0)));
        assert_eq!(ends_of(float(), |operand| Expr::Round { operand, digits: 0 }), Some((-3.0, 10.0)));
        assert_eq!(ends_of(Expr::RandomUuid, |operand| Expr::ToInt { operand }), None);
        assert_eq!(ends_of(Expr::Not { operand: ExprId(0) }, |operand| Expr::ToInt { operand }), Some((0.0, 1.0)));
    }

    /// Each expression uses the one before it twice: the number of uses doubles, and the time does not.
    #[test]
    fn what_is_read_again_and_again_is_looked_at_once() {
        let mut exprs = vec![Expr::RandomInt { min: 0, max: 1 }];
        for i in 0..200 {
            exprs.push(Expr::Binary { operator: Operator::Add, left: ExprId(i), right: ExprId(i) });
        }
        assert_eq!(ends(&exprs), Some((0.0, 2f64.powi(200))));
        exprs.extend((200..100_000).map(|operand| Expr::Neg { operand: ExprId(operand) }));
        assert_eq!(ends(&exprs), None);
    }
}
