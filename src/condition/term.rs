//! The typed tree of a condition, and its evaluation.

use crate::plan::{Number, Operator};
use crate::trace::Datum;
use regex::Regex;
use std::borrow::Cow;
use std::cmp::Ordering;

/// A part of a condition over what has the values `V`.
#[derive(Debug)]
pub enum Term<V> {
    Bool(bool),
    Number(Number),
    Text(String),
    /// A value of the trace, span or event.
    Read(V),
    Not(Box<Term<V>>),
    Neg(Box<Term<V>>),
    And(Box<Term<V>>, Box<Term<V>>),
    Or(Box<Term<V>>, Box<Term<V>>),
    Compare(Operator, Box<Term<V>>, Box<Term<V>>),
    In(Box<Term<V>>, Vec<Term<V>>),
    /// `+`, `-`, `*`, `/` or `%`; `+` also joins texts.
    Arithmetic(Operator, Box<Term<V>>, Box<Term<V>>),
    If {
        condition: Box<Term<V>>,
        then: Box<Term<V>>,
        otherwise: Box<Term<V>>,
    },
    Matches(Box<Term<V>>, Regex),
    Test(TextTest, Box<Term<V>>, Box<Term<V>>),
    /// The value is there.
    Has(Box<Term<V>>),
    Default(Box<Term<V>>, Box<Term<V>>),
    Convert(Conversion, Box<Term<V>>),
}

/// A test of a text against another one.
#[derive(Clone, Copy, Debug)]
pub enum TextTest {
    Contains,
    StartsWith,
    EndsWith,
}

/// A conversion to another type, or to other letters. What can't be converted is absent.
#[derive(Clone, Copy, Debug)]
pub enum Conversion {
    Int,
    Double,
    Bool,
    Text,
    Lower,
    Upper,
}

/// A value while a condition is evaluated.
#[derive(Clone, Debug)]
pub enum Value<'a> {
    Absent,
    Bool(bool),
    Number(Number),
    Text(Cow<'a, str>),
    /// A list, a map or bytes, which equal nothing.
    Other,
}

impl<'a> Value<'a> {
    pub fn text(text: &'a str) -> Value<'a> {
        Value::Text(Cow::Borrowed(text))
    }

    /// Returns the value of an attribute, which may be absent.
    pub fn of(datum: Option<Datum<'a>>) -> Value<'a> {
        match datum {
            None => Value::Absent,
            Some(Datum::Bool(v)) => Value::Bool(v),
            Some(Datum::Int(v)) => Value::Number(Number::Int(v)),
            Some(Datum::Double(v)) => Value::Number(Number::Double(v)),
            Some(Datum::Text(v)) => Value::text(v),
            Some(Datum::Bytes(_) | Datum::List(_) | Datum::Map(_)) => Value::Other,
        }
    }

    fn number(&self) -> Option<Number> {
        if let Value::Number(number) = self { Some(*number) } else { None }
    }

    fn as_text(&self) -> Option<&str> {
        if let Value::Text(text) = self { Some(text) } else { None }
    }

    /// Returns the order of two values of the same type; `None` if they can't be compared.
    fn order(&self, other: &Value<'_>) -> Option<Ordering> {
        match (self, other) {
            (Value::Bool(a), Value::Bool(b)) => Some(a.cmp(b)),
            (Value::Number(a), Value::Number(b)) => a.order(*b),
            (Value::Text(a), Value::Text(b)) => Some(a.as_ref().cmp(b.as_ref())),
            _ => None,
        }
    }

    fn converted(self, conversion: Conversion) -> Value<'a> {
        let parsed = |text: &str| text.trim().parse().ok().map(Number::Int);
        let real = |text: &str| text.trim().parse().ok().and_then(Number::finite);
        let number = |number: Option<Number>| number.map_or(Value::Absent, Value::Number);
        match (conversion, self) {
            (_, Value::Absent | Value::Other) => Value::Absent,
            (Conversion::Int, Value::Number(n)) => Value::Number(Number::Int(n.int())),
            (Conversion::Int, Value::Text(text)) => {
                number(parsed(&text).or_else(|| real(&text).map(|n| Number::Int(n.int()))))
            }
            (Conversion::Double, Value::Number(n)) => Value::Number(Number::Double(n.double())),
            (Conversion::Double, Value::Text(text)) => number(real(&text)),
            (Conversion::Bool, Value::Text(text)) => match text.trim() {
                "true" => Value::Bool(true),
                "false" => Value::Bool(false),
                _ => Value::Absent,
            },
            (Conversion::Bool, value @ Value::Bool(_)) => value,
            (Conversion::Int | Conversion::Double, Value::Bool(_)) | (Conversion::Bool, Value::Number(_)) => {
                Value::Absent
            }
            (Conversion::Text, value) => Value::Text(value.written()),
            (Conversion::Lower, value) => Value::Text(value.written().to_lowercase().into()),
            (Conversion::Upper, value) => Value::Text(value.written().to_uppercase().into()),
        }
    }

    /// Returns the text of a single value.
    fn written(self) -> Cow<'a, str> {
        match self {
            Value::Text(text) => text,
            Value::Bool(value) => Cow::Borrowed(if value { "true" } else { "false" }),
            Value::Number(Number::Int(value)) => value.to_string().into(),
            Value::Number(Number::Double(value)) => value.to_string().into(),
            Value::Absent | Value::Other => Cow::Borrowed(""),
        }
    }
}

impl<V> Term<V> {
    /// Reports whether the condition holds; `read` returns the values of its subject.
    pub fn holds<'a>(&'a self, read: &impl Fn(&'a V) -> Value<'a>) -> bool {
        matches!(self.value(read), Value::Bool(true))
    }

    fn value<'a>(&'a self, read: &impl Fn(&'a V) -> Value<'a>) -> Value<'a> {
        match self {
            Term::Bool(value) => Value::Bool(*value),
            Term::Number(value) => Value::Number(*value),
            Term::Text(value) => Value::text(value),
            Term::Read(value) => read(value),
            Term::Not(operand) => Value::Bool(!operand.holds(read)),
            Term::Neg(operand) => {
                let negative = operand.value(read).number().and_then(|n| Number::Int(0).arithmetic(Operator::Sub, n));
                negative.map_or(Value::Absent, Value::Number)
            }
            Term::And(a, b) => Value::Bool(a.holds(read) && b.holds(read)),
            Term::Or(a, b) => Value::Bool(a.holds(read) || b.holds(read)),
            Term::Compare(operator, a, b) => Value::Bool(compared(*operator, &a.value(read), &b.value(read))),
            Term::In(operand, items) => {
                let operand = operand.value(read);
                Value::Bool(items.iter().any(|item| compared(Operator::Eq, &operand, &item.value(read))))
            }
            Term::Arithmetic(operator, a, b) => calculated(*operator, a.value(read), b.value(read)),
            Term::If { condition, then, otherwise } => {
                if condition.holds(read) {
                    then.value(read)
                } else {
                    otherwise.value(read)
                }
            }
            Term::Matches(operand, regex) => {
                Value::Bool(operand.value(read).as_text().is_some_and(|text| regex.is_match(text)))
            }
            Term::Test(test, operand, part) => {
                let (operand, part) = (operand.value(read), part.value(read));
                let both = operand.as_text().zip(part.as_text());
                Value::Bool(both.is_some_and(|(operand, part)| match test {
                    TextTest::Contains => operand.contains(part),
                    TextTest::StartsWith => operand.starts_with(part),
                    TextTest::EndsWith => operand.ends_with(part),
                }))
            }
            Term::Has(operand) => Value::Bool(!matches!(operand.value(read), Value::Absent)),
            Term::Default(operand, otherwise) => match operand.value(read) {
                Value::Absent => otherwise.value(read),
                value => value,
            },
            Term::Convert(conversion, operand) => operand.value(read).converted(*conversion),
        }
    }
}

fn compared(operator: Operator, a: &Value<'_>, b: &Value<'_>) -> bool {
    let order = a.order(b);
    match operator {
        Operator::Ne => order != Some(Ordering::Equal),
        Operator::Eq => order == Some(Ordering::Equal),
        Operator::Lt => order == Some(Ordering::Less),
        Operator::Gt => order == Some(Ordering::Greater),
        Operator::Le => order.is_some_and(Ordering::is_le),
        _ => order.is_some_and(Ordering::is_ge),
    }
}

fn calculated<'a>(operator: Operator, a: Value<'a>, b: Value<'a>) -> Value<'a> {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a.arithmetic(operator, b).map_or(Value::Absent, Value::Number),
        (Value::Text(a), Value::Text(b)) if operator == Operator::Add => Value::Text(a + b),
        _ => Value::Absent,
    }
}
