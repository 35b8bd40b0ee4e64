//! What is known of a condition before any trace is made: that it never holds, or always.

use super::compile::Subject;
use super::term::Term;
use super::vocabulary::Vocabulary;
use crate::plan::{Number, Operator};
use std::cmp::Ordering;
use std::collections::HashMap;
use std::fmt::Debug;

/// What is known of a condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outlook {
    Never,
    Always,
    /// It may hold or not.
    Open,
}

impl Outlook {
    fn of(holds: bool) -> Outlook {
        if holds { Outlook::Always } else { Outlook::Never }
    }

    fn opposite(self) -> Outlook {
        match self {
            Outlook::Never => Outlook::Always,
            Outlook::Always => Outlook::Never,
            Outlook::Open => Outlook::Open,
        }
    }
}

/// Returns what is known of a condition on the traces of the plans with this vocabulary.
pub fn outlook<V: Subject + Debug>(term: &Term<V>, known: &Vocabulary) -> Outlook {
    match term {
        Term::Bool(holds) => Outlook::of(*holds),
        Term::Not(operand) => outlook(operand, known).opposite(),
        Term::And(a, b) => match (outlook(a, known), outlook(b, known)) {
            (Outlook::Never, _) | (_, Outlook::Never) => Outlook::Never,
            (Outlook::Always, other) | (other, Outlook::Always) => other,
            _ if Facts::contradict(term, known) => Outlook::Never,
            _ => Outlook::Open,
        },
        Term::Or(a, b) => match (outlook(a, known), outlook(b, known)) {
            (Outlook::Always, _) | (_, Outlook::Always) => Outlook::Always,
            (Outlook::Never, other) | (other, Outlook::Never) => other,
            _ => Outlook::Open,
        },
        Term::Compare(operator, a, b) => match (range(a, known), range(b, known)) {
            (Some(a), Some(b)) => compared(*operator, a, b),
            _ if is_impossible(a, b, known) || is_impossible(b, a, known) => match operator {
                Operator::Eq => Outlook::Never,
                Operator::Ne => Outlook::Always,
                _ => Outlook::Open,
            },
            _ => Outlook::Open,
        },
        Term::In(operand, items) if items.iter().all(|item| is_impossible(operand, item, known)) => Outlook::Never,
        _ => Outlook::Open,
    }
}

/// The least and the greatest number that a value can be.
type Range = (Number, Number);

/// Returns the range of a number that is never absent; `None` if it is not known.
fn range<V: Subject>(term: &Term<V>, known: &Vocabulary) -> Option<Range> {
    match term {
        Term::Number(number) => Some((*number, *number)),
        Term::Read(value) => value.range(known),
        _ => None,
    }
}

fn is(a: Number, order: Ordering, b: Number) -> bool {
    a.order(b) == Some(order)
}

fn compared(operator: Operator, a: Range, b: Range) -> Outlook {
    let before = is(a.1, Ordering::Less, b.0);
    let behind = is(a.0, Ordering::Greater, b.1);
    let touches_before = before || is(a.1, Ordering::Equal, b.0);
    let touches_behind = behind || is(a.0, Ordering::Equal, b.1);
    let (always, never) = match operator {
        Operator::Lt => (before, touches_behind),
        Operator::Le => (touches_before, behind),
        Operator::Gt => (behind, touches_before),
        Operator::Ge => (touches_behind, before),
        Operator::Ne => (before || behind, false),
        _ => (false, before || behind),
    };
    match (always, never) {
        (true, _) => Outlook::Always,
        (_, true) => Outlook::Never,
        _ => Outlook::Open,
    }
}

/// Reports whether a value is never the text that it is compared with.
fn is_impossible<V: Subject>(value: &Term<V>, text: &Term<V>, known: &Vocabulary) -> bool {
    let (Term::Read(value), Term::Text(text)) = (value, text) else { return false };
    value.among(known).is_some_and(|(_, among)| !among.contains(&text.as_str()))
}

/// What a value must be for all comparisons of a conjunction to hold.
#[derive(Default)]
struct Facts<'t> {
    low: Option<(Number, bool)>,
    high: Option<(Number, bool)>,
    text: Option<&'t str>,
    is_contradicted: bool,
}

impl<'t> Facts<'t> {
    /// Reports whether the comparisons of a conjunction exclude each other.
    fn contradict<V: Subject + Debug>(conjunction: &'t Term<V>, known: &Vocabulary) -> bool {
        let mut facts: HashMap<String, Facts<'t>> = HashMap::new();
        let mut open = vec![conjunction];
        while let Some(term) = open.pop() {
            match term {
                Term::And(a, b) => open.extend([&**a, &**b]),
                Term::Compare(operator, a, b) => {
                    let (value, operator, other) = match (&**a, &**b) {
                        (Term::Read(value), other) => (value, *operator, other),
                        (other, Term::Read(value)) => (value, turned(*operator), other),
                        _ => continue,
                    };
                    let facts = facts.entry(format!("{value:?}")).or_default();
                    if let Some((low, high)) = value.range(known) {
                        facts.number(Operator::Ge, low);
                        facts.number(Operator::Le, high);
                    }
                    match other {
                        Term::Number(number) => facts.number(operator, *number),
                        Term::Text(text) if operator == Operator::Eq => {
                            facts.is_contradicted |= facts.text.is_some_and(|other| other != text);
                            facts.text = Some(text);
                        }
                        _ => {}
                    }
                }
                _ => {}
            }
        }
        facts.values().any(Facts::are_contradicted)
    }

    /// Narrows the range of a number; with `true` an end itself is excluded.
    fn number(&mut self, operator: Operator, number: Number) {
        let strict = matches!(operator, Operator::Lt | Operator::Gt);
        let narrows = |end: Option<(Number, bool)>, order: Ordering| {
            end.is_none_or(|(old, was_strict)| {
                is(number, order, old) || is(number, Ordering::Equal, old) && !was_strict
            })
        };
        if matches!(operator, Operator::Gt | Operator::Ge | Operator::Eq) && narrows(self.low, Ordering::Greater) {
            self.low = Some((number, strict));
        }
        if matches!(operator, Operator::Lt | Operator::Le | Operator::Eq) && narrows(self.high, Ordering::Less) {
            self.high = Some((number, strict));
        }
    }

    fn are_contradicted(&self) -> bool {
        let no_number = match (self.low, self.high) {
            (Some((low, low_strict)), Some((high, high_strict))) => {
                is(low, Ordering::Greater, high) || is(low, Ordering::Equal, high) && (low_strict || high_strict)
            }
            _ => false,
        };
        self.is_contradicted || no_number
    }
}

/// Returns the operator that says the same with its operands exchanged.
fn turned(operator: Operator) -> Operator {
    match operator {
        Operator::Lt => Operator::Gt,
        Operator::Le => Operator::Ge,
        Operator::Gt => Operator::Lt,
        Operator::Ge => Operator::Le,
        other => other,
    }
}
