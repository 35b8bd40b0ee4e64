//! Values as far as they are known before a trace is made: the possible values of an expression, with their probabilities.
//!
//! A draw is enumerated if it has few outcomes: bools, choices, small ints. A value with more outcomes, or one that is
//! known only when a trace is made, such as a time or an id, is [`Known::Unclear`], and so is every value computed from it.
//! A scenario in which such a value decides can't be followed.

use super::{InForce, MAX_COMBINATIONS};
use crate::plan::{AttrId, Chance, Constant, Expr, ExprId, Number, Operator, Program, SlotId};
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::rc::Rc;

/// A value, or the fact that it is unclear.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Known {
    Absent,
    Bool(bool),
    Int(i64),
    Double(Bits),
    Text(Rc<str>),
    Unclear,
}

/// The maximum size in bytes of a known text; states are distinguished by it.
const MAX_TEXT: usize = 1_024;

/// The bits of a double. They have an order, which is not that of the doubles.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Bits(u64);

/// The possible values, each with its probability. The probabilities sum to 1, and none of them is 0.
pub type Outcomes = BTreeMap<Known, f64>;

/// A place that holds a value which decides something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Cell {
    Slot(SlotId),
    /// An attribute of a server's span that its client reads.
    Attr(AttrId),
}

/// The values of deciding cells.
pub type Values = BTreeMap<Cell, Known>;

impl Known {
    /// Returns the value as a bool, if it is one.
    pub fn bool(&self) -> Option<bool> {
        if let Known::Bool(value) = self { Some(*value) } else { None }
    }

    fn number(&self) -> Option<Number> {
        match self {
            Known::Int(value) => Some(Number::Int(*value)),
            Known::Double(Bits(bits)) => Some(Number::Double(f64::from_bits(*bits))),
            _ => None,
        }
    }

    /// Returns the whole number of a count, or `None` if the value is not a number.
    pub fn int(&self) -> Option<i64> {
        self.number().map(Number::int)
    }

    /// Returns the text of the value. The digits of a double are unclear.
    pub fn text(&self) -> Known {
        match self {
            Known::Bool(value) => value.to_string().as_str().into(),
            Known::Int(value) => value.to_string().as_str().into(),
            Known::Double(_) => Known::Unclear,
            other => other.clone(),
        }
    }

    /// Returns the order of two numbers or of two texts, or `None` if they have none.
    fn order(&self, other: &Known) -> Option<Ordering> {
        match (self, other) {
            (Known::Text(a), Known::Text(b)) => Some(a.as_bytes().cmp(b.as_bytes())),
            _ => self.number()?.order(other.number()?),
        }
    }

    /// Reports whether two values are equal; returns `None` if they can't be compared.
    fn equal(&self, other: &Known) -> Option<bool> {
        match (self, other) {
            (Known::Bool(a), Known::Bool(b)) => Some(a == b),
            _ => self.order(other).map(Ordering::is_eq),
        }
    }

    fn is_unclear(&self) -> bool {
        *self == Known::Unclear
    }
}

impl From<&str> for Known {
    fn from(text: &str) -> Known {
        if text.len() <= MAX_TEXT { Known::Text(text.into()) } else { Known::Unclear }
    }
}

impl From<Number> for Known {
    fn from(number: Number) -> Known {
        match number {
            Number::Int(value) => Known::Int(value),
            Number::Double(value) => Known::Double(Bits(value.to_bits())),
        }
    }
}

impl From<Option<bool>> for Known {
    fn from(value: Option<bool>) -> Known {
        value.map_or(Known::Absent, Known::Bool)
    }
}

fn always(value: Known) -> Outcomes {
    Outcomes::from([(value, 1.0)])
}

fn unclear() -> Outcomes {
    always(Known::Unclear)
}

/// Returns values with probabilities proportional to their weights. Too many of them are unclear.
fn weighted(values: impl Iterator<Item = (Known, f64)>) -> Outcomes {
    let mut outcomes = Outcomes::new();
    for (value, weight) in values.filter(|(_, weight)| *weight > 0.0) {
        *outcomes.entry(value).or_default() += weight;
        if outcomes.len() > MAX_COMBINATIONS {
            return unclear();
        }
    }
    let sum: f64 = outcomes.values().sum();
    outcomes.values_mut().for_each(|weight| *weight /= sum);
    outcomes
}

/// The expressions of a choice, one of which is its value, with their weights.
type Choices = Vec<(Rc<Outcomes>, f64)>;

fn one_of(choices: Choices) -> Outcomes {
    weighted(
        choices
            .iter()
            .flat_map(|(operand, share)| operand.iter().map(move |(value, part)| (value.clone(), share * part))),
    )
}

/// An evaluation of a program's expressions, given the values of cells.
pub struct Evaluation<'a> {
    program: &'a Program,
    values: &'a Values,
    in_force: &'a InForce,
    /// The expressions evaluated before. Every use draws again, but its possible outcomes are the same.
    known: BTreeMap<ExprId, Rc<Outcomes>>,
    /// The number of combinations of operands that were enumerated.
    pub work: usize,
}

impl<'a> Evaluation<'a> {
    pub fn new(program: &'a Program, values: &'a Values, in_force: &'a InForce) -> Evaluation<'a> {
        Evaluation { program, values, in_force, known: BTreeMap::new(), work: 0 }
    }

    /// Returns the possible values of an expression. The recursion is as deep as expressions are, which the verifier
    /// limits.
    pub fn outcomes(&mut self, id: ExprId) -> Rc<Outcomes> {
        if let Some(known) = self.known.get(&id) {
            return known.clone();
        }
        let found = Rc::new(self.compute(id));
        let operands = self.program.exprs[id.index()].operands().filter_map(|operand| self.known.get(&operand));
        let pairs = operands.fold(1, |pairs: usize, operand| pairs.saturating_mul(operand.len()));
        self.work += pairs.min(MAX_COMBINATIONS) + found.len();
        self.known.insert(id, found.clone());
        found
    }

    fn compute(&mut self, id: ExprId) -> Outcomes {
        let (program, values) = (self.program, self.values);
        match &program.exprs[id.index()] {
            Expr::Const { value } => always(match value {
                Constant::Bool(value) => Known::Bool(*value),
                Constant::Int(value) => Known::Int(*value),
                Constant::Double(value) => Number::Double(*value).into(),
                Constant::Text(text) => program.texts[text.index()].as_str().into(),
                Constant::List(_) | Constant::Bytes(_) | Constant::Map(_) => Known::Unclear,
            }),
            Expr::Slot { slot } => always(values.get(&Cell::Slot(*slot)).cloned().unwrap_or(Known::Unclear)),
            Expr::Text { operand } => self.map(*operand, Known::text),
            Expr::Concat { parts } => {
                let join = |a: &Known, b: &Known| match (a, b.text()) {
                    (Known::Text(a), Known::Text(b)) => format!("{a}{b}").as_str().into(),
                    (Known::Absent, _) | (_, Known::Absent) => Known::Absent,
                    _ => Known::Unclear,
                };
                let empty = Rc::new(always("".into()));
                let parts = parts.iter().map(|part| self.outcomes(*part)).collect::<Vec<_>>();
                let whole = parts.iter().fold(empty, |whole, part| Rc::new(pairs(&whole, part, join)));
                (*whole).clone()
            }

            Expr::RandomInt { min, max } => ints(*min, *max),
            Expr::RandomIntBetween { min, max } => {
                let (min, max) = (self.outcomes(*min), self.outcomes(*max));
                let choices = product(&min, &max).map(|(a, b, share)| {
                    let ends = a.int().zip(b.int()).map(|(a, b)| ints(a.min(b), a.max(b)));
                    let missing =
                        || always(if a.is_unclear() || b.is_unclear() { Known::Unclear } else { Known::Absent });
                    (Rc::new(ends.unwrap_or_else(missing)), share)
                });
                if min.len() * max.len() > MAX_COMBINATIONS { unclear() } else { one_of(choices.collect()) }
            }
            Expr::RandomFloat { min, max, digits } => {
                let scale = 10_f64.powi((*digits).into());
                let double =
                    |value: &Known| value.int().map_or(Known::Unclear, |v| Number::Double(v as f64 / scale).into());
                ints(*min, *max).into_iter().map(|(value, share)| (double(&value), share)).collect()
            }
            Expr::RandomBool { chance } => {
                let share = chance.0 as f64 / Chance::ONE.0 as f64;
                weighted([(Known::Bool(true), share), (Known::Bool(false), 1.0 - share)].into_iter())
            }
            Expr::RandomChoice { items } => one_of(items.iter().map(|item| (self.outcomes(*item), 1.0)).collect()),
            Expr::RandomWeighted { items, weights } => {
                one_of(items.iter().zip(weights).map(|(item, weight)| (self.outcomes(*item), *weight)).collect())
            }
            Expr::RandomZipf { n, s } if *n <= MAX_COMBINATIONS as u64 => {
                weighted((1..=*n as i64).map(|k| (Known::Int(k), libm::pow(k as f64, -s))))
            }

            Expr::Upper { operand } => self.map(*operand, |value| change_case(value, |c| c.to_uppercase().collect())),
            Expr::Lower { operand } => self.map(*operand, |value| change_case(value, |c| c.to_lowercase().collect())),
            Expr::Default { operand, or } => {
                let operand = self.outcomes(*operand);
                let operand = operand.iter().map(|(value, share)| match value {
                    Known::Absent => (self.outcomes(*or), *share),
                    value => (Rc::new(always(value.clone())), *share),
                });
                one_of(operand.collect())
            }
            Expr::ToInt { operand } => self.map(*operand, |value| match value {
                Known::Bool(value) => Known::Int((*value).into()),
                Known::Text(_) | Known::Unclear => Known::Unclear,
                value => value.int().map_or(Known::Absent, Known::Int),
            }),
            Expr::ToDouble { operand } => self.map(*operand, |value| match value {
                Known::Text(_) | Known::Unclear => Known::Unclear,
                value => value.number().map_or(Known::Absent, |number| Number::Double(number.double()).into()),
            }),
            Expr::ToBool { operand } => self.map(*operand, |value| match value {
                Known::Text(text) => match &**text {
                    "true" => Known::Bool(true),
                    "false" => Known::Bool(false),
                    _ => Known::Absent,
                },
                Known::Bool(_) | Known::Unclear => value.clone(),
                value => value.number().map(|number| number.double() != 0.0).into(),
            }),
            Expr::Clamp { operand, min, max } => {
                let [operand, min, max] = [*operand, *min, *max].map(|id| self.outcomes(id));
                if operand.len() * min.len() * max.len() > MAX_COMBINATIONS {
                    return unclear();
                }
                let clamped = product(&operand, &min).flat_map(|(operand, min, share)| {
                    max.iter().map(move |(max, part)| (clamp(operand, min, max), share * part))
                });
                weighted(clamped)
            }
            Expr::Omit { operand, value } => self.pair(*operand, *value, |operand, value| match operand.equal(value) {
                Some(true) => Known::Absent,
                _ => operand.clone(),
            }),

            Expr::If { condition, then, otherwise } => {
                let condition = self.outcomes(*condition);
                let branch = condition.iter().map(|(value, share)| match value {
                    Known::Bool(true) => (self.outcomes(*then), *share),
                    Known::Bool(false) => (self.outcomes(*otherwise), *share),
                    Known::Unclear => (Rc::new(unclear()), *share),
                    _ => (Rc::new(always(Known::Absent)), *share),
                });
                one_of(branch.collect())
            }
            Expr::Lookup { operand, items } => {
                // Values that equal none of the keys so far go on to the next one.
                let (mut left, mut choices) = (self.outcomes(*operand), vec![]);
                for pair in items.chunks_exact(2) {
                    let (key, value) = (self.outcomes(pair[0]), self.outcomes(pair[1]));
                    let mut next = Outcomes::new();
                    for (operand, share) in &*left {
                        let found = key.iter().filter(|(key, _)| operand.equal(key) == Some(true));
                        let found: f64 = found.map(|(_, part)| part).sum();
                        if operand.is_unclear() || key.contains_key(&Known::Unclear) {
                            return unclear();
                        }
                        if found > 0.0 {
                            choices.push((value.clone(), share * found));
                        }
                        if found < 1.0 {
                            next.insert(operand.clone(), share * (1.0 - found));
                        }
                    }
                    left = Rc::new(next);
                }
                choices.push((Rc::new(always(Known::Absent)), left.values().sum()));
                one_of(choices)
            }
            Expr::Nth { operand, items } => {
                let operand = self.outcomes(*operand);
                let choices = operand.iter().map(|(at, share)| {
                    let item = at.int().and_then(|at| items.get(usize::try_from(at).ok()?));
                    let missing = || Rc::new(always(if at.is_unclear() { Known::Unclear } else { Known::Absent }));
                    (item.map_or_else(missing, |item| self.outcomes(*item)), *share)
                });
                one_of(choices.collect())
            }
            Expr::Not { operand } => self.map(*operand, |value| value.bool().map(|value| !value).into()),
            Expr::Neg { operand } => self.map(*operand, |value| match value.number() {
                Some(Number::Int(value)) => Known::Int(value.saturating_neg()),
                Some(Number::Double(value)) => Number::Double(-value).into(),
                None => Known::Absent,
            }),
            Expr::Binary { operator, left, right } => self.binary(*operator, *left, *right),
            Expr::In { operand, items } => {
                let operand = self.outcomes(*operand);
                let items: Vec<_> = items.iter().map(|item| self.outcomes(*item)).collect();
                let mut outcomes = vec![];
                for (operand, share) in &*operand {
                    let equals = |item: &Rc<Outcomes>| -> f64 {
                        item.iter().filter(|(item, _)| operand.equal(item) == Some(true)).map(|(_, part)| part).sum()
                    };
                    let missed: f64 = items.iter().map(|item| 1.0 - equals(item)).product();
                    let is_unclear =
                        operand.is_unclear() || items.iter().any(|item| item.contains_key(&Known::Unclear));
                    match operand {
                        _ if is_unclear => return unclear(),
                        Known::Absent => outcomes.push((Known::Absent, *share)),
                        _ => outcomes.extend([
                            (Known::Bool(true), share * (1.0 - missed)),
                            (Known::Bool(false), share * missed),
                        ]),
                    }
                }
                weighted(outcomes.into_iter())
            }
            // These are drawn from very many values, or depend on more than draws.
            Expr::RandomZipf { .. } | Expr::RandomFloatBetween { .. } | Expr::RandomNormal { .. } => unclear(),
            Expr::RandomLognormal { .. } | Expr::RandomExp { .. } | Expr::RandomPareto { .. } => unclear(),
            Expr::RandomUuid | Expr::RandomHex { .. } | Expr::RandomHexUpTo { .. } | Expr::RandomText { .. } => {
                unclear()
            }
            Expr::RandomIpv4 | Expr::RandomIpv6 | Expr::RandomUserAgent => unclear(),
            Expr::TimeUnix | Expr::TimeUnixMs | Expr::TimeUnixNano | Expr::TimeIso => unclear(),
            Expr::TraceId | Expr::TraceIndex | Expr::SpanId | Expr::InstanceIndex => unclear(),
            Expr::Linked { .. } | Expr::LinkedKey => unclear(),
            Expr::Incident { incident } => always(Known::Bool(self.in_force.contains(incident))),
            Expr::StableUuid { .. } | Expr::StableHex { .. } | Expr::StableIpv4 { .. } => unclear(),
            Expr::StablePick { .. } | Expr::Round { .. } | Expr::Pad { .. } => unclear(),
            Expr::List { .. } | Expr::Array { .. } | Expr::Map { .. } => unclear(),
        }
    }

    /// Returns the outcomes of a function of one operand. An unclear operand gives an unclear result.
    fn map(&mut self, operand: ExprId, make: impl Fn(&Known) -> Known) -> Outcomes {
        let operand = self.outcomes(operand);
        let made = |value: &Known| if value.is_unclear() { Known::Unclear } else { make(value) };
        weighted(operand.iter().map(|(value, share)| (made(value), *share)))
    }

    fn pair(&mut self, a: ExprId, b: ExprId, make: impl Fn(&Known, &Known) -> Known) -> Outcomes {
        let (a, b) = (self.outcomes(a), self.outcomes(b));
        pairs(&a, &b, make)
    }

    fn binary(&mut self, operator: Operator, left: ExprId, right: ExprId) -> Outcomes {
        if let Operator::Or | Operator::And = operator {
            let left = self.outcomes(left);
            let choices = left.iter().map(|(value, share)| match value {
                Known::Bool(decided) if *decided == (operator == Operator::Or) => {
                    (Rc::new(always(value.clone())), *share)
                }
                Known::Bool(_) => {
                    let right = self.outcomes(right);
                    let bools = right.iter().map(|(value, part)| match value {
                        Known::Bool(_) | Known::Unclear => (value.clone(), *part),
                        _ => (Known::Absent, *part),
                    });
                    (Rc::new(weighted(bools)), *share)
                }
                Known::Unclear => (Rc::new(unclear()), *share),
                _ => (Rc::new(always(Known::Absent)), *share),
            });
            return one_of(choices.collect());
        }
        self.pair(left, right, |a, b| match operator {
            Operator::Eq => a.equal(b).into(),
            Operator::Ne => a.equal(b).map(|equal| !equal).into(),
            Operator::Lt => a.order(b).map(Ordering::is_lt).into(),
            Operator::Le => a.order(b).map(Ordering::is_le).into(),
            Operator::Gt => a.order(b).map(Ordering::is_gt).into(),
            Operator::Ge => a.order(b).map(Ordering::is_ge).into(),
            Operator::Or | Operator::And => Known::Absent,
            Operator::Add | Operator::Sub | Operator::Mul | Operator::Div | Operator::Rem => match (a, b) {
                (Known::Text(a), Known::Text(b)) if operator == Operator::Add => format!("{a}{b}").as_str().into(),
                _ => {
                    let numbers = a.number().zip(b.number());
                    numbers.and_then(|(a, b)| a.arithmetic(operator, b)).map_or(Known::Absent, Known::from)
                }
            },
        })
    }
}

fn clamp(operand: &Known, min: &Known, max: &Known) -> Known {
    match (operand.order(min), operand.order(max)) {
        _ if operand.is_unclear() || min.is_unclear() || max.is_unclear() => Known::Unclear,
        (None, _) | (_, None) => Known::Absent,
        (_, Some(Ordering::Greater)) => max.clone(),
        (Some(Ordering::Less), _) => min.clone(),
        _ => operand.clone(),
    }
}

/// Returns all ints from `min` to `max` with equal probabilities.
fn ints(min: i64, max: i64) -> Outcomes {
    if max.abs_diff(min) >= MAX_COMBINATIONS as u64 {
        return unclear();
    }
    weighted((min..=max).map(|value| (Known::Int(value), 1.0)))
}

/// Returns all pairs of two independent values, with their probabilities.
fn product<'o>(a: &'o Outcomes, b: &'o Outcomes) -> impl Iterator<Item = (&'o Known, &'o Known, f64)> {
    a.iter().flat_map(move |(a, share)| b.iter().map(move |(b, part)| (a, b, share * part)))
}

/// Returns the outcomes of a function of two operands. Unclear operands, or too many pairs, give an unclear result.
fn pairs(a: &Outcomes, b: &Outcomes, make: impl Fn(&Known, &Known) -> Known) -> Outcomes {
    if a.len() * b.len() > MAX_COMBINATIONS {
        return unclear();
    }
    let made = |a: &Known, b: &Known| if a.is_unclear() || b.is_unclear() { Known::Unclear } else { make(a, b) };
    weighted(product(a, b).map(|(a, b, share)| (made(a, b), share)))
}

fn change_case(value: &Known, change: impl Fn(char) -> String) -> Known {
    match value.text() {
        Known::Text(text) => text.chars().map(change).collect::<String>().as_str().into(),
        other => other,
    }
}
