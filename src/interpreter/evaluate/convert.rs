//! Conversions between types, and arithmetic. Doubles stay finite: an infinite result becomes the largest finite one.

use super::Evaluation;
use super::text::POWERS;
use crate::interpreter::stable::Use;
use crate::plan::{ExprId, Number, Operator};
use crate::trace::{Bytes, Read, Value};

/// Returns a double as a value, which is absent if the double is not a number.
pub(super) fn finite(v: f64) -> Value {
    Number::finite(v).map_or(Value::ABSENT, |v| Value::double(v.double()))
}

/// Returns a value as a number, if it is one.
#[inline]
pub(super) fn number(value: Value) -> Option<Number> {
    match value.read() {
        Read::Int(v) => Some(Number::Int(v)),
        Read::Double { value, .. } => Some(Number::Double(value)),
        _ => None,
    }
}

/// Returns an int, or the whole part of a double, limited to the range of an int.
pub(super) fn int(value: Value) -> Option<i64> {
    number(value).map(Number::int)
}

/// Returns an int or a double as a double.
pub(super) fn double(value: Value) -> Option<f64> {
    number(value).map(Number::double)
}

/// Returns a number rounded to `digits` decimals, half away from zero.
pub(super) fn round(value: Value, digits: u8) -> Value {
    let Some(v) = double(value) else { return Value::ABSENT };
    let scale = POWERS[digits as usize] as f64;
    let scaled = v * scale;
    // Beyond 2^52 a double has no decimals to round.
    let rounded = if scaled.abs() < (1u64 << 52) as f64 { libm::round(scaled) / scale } else { v };
    // Adding 0.0 turns -0.0 into 0.0.
    Value::fixed(rounded + 0.0, digits)
}

/// Applies an arithmetic operator to two values.
#[inline]
pub(super) fn arithmetic(operator: Operator, a: Value, b: Value) -> Value {
    let result = number(a).zip(number(b)).and_then(|(a, b)| a.arithmetic(operator, b));
    match result {
        Some(Number::Int(value)) => Value::int(value),
        Some(Number::Double(value)) => Value::double(value),
        None => Value::ABSENT,
    }
}

/// Reports whether a list can hold both values: neither is absent or a list, and they have the same type.
pub(super) fn may_be_together(first: Value, value: Value) -> bool {
    matches!(
        (first.read(), value.read()),
        (Read::Text { .. } | Read::Const { .. }, Read::Text { .. } | Read::Const { .. })
            | (Read::Int(_), Read::Int(_))
            | (Read::Double { .. }, Read::Double { .. })
            | (Read::Bool(_), Read::Bool(_))
    )
}

/// Returns the number that a text writes in decimal. `inf` and `nan` are not numbers here.
fn parse(text: &[u8]) -> Option<f64> {
    let text = std::str::from_utf8(text).ok()?.trim();
    let decimal = text.bytes().all(|b| b.is_ascii_digit() || b"+-.eE".contains(&b));
    decimal.then(|| text.parse::<f64>().ok()).flatten()
}

impl Evaluation<'_> {
    /// Returns the bytes of a text, or `None` if the value is not a text.
    pub(super) fn bytes(&self, value: Value) -> Option<&[u8]> {
        match value.read() {
            Read::Text { at, len } => Some(&self.trace.text.as_slice()[at..at + len]),
            Read::Const { text, .. } => Some(self.code.plan.text(text).as_bytes()),
            _ => None,
        }
    }

    pub(super) fn is_text(&self, value: Value) -> bool {
        matches!(value.read(), Read::Text { .. } | Read::Const { .. })
    }

    pub(super) fn to_int(&self, value: Value) -> Option<i64> {
        if let Read::Bool(v) = value.read() {
            return Some(v as i64);
        }
        let Some(text) = self.bytes(value) else { return int(value) };
        let exact = std::str::from_utf8(text).ok()?.trim().parse().ok();
        exact.or_else(|| parse(text).map(|v| v as i64))
    }

    pub(super) fn to_double(&self, value: Value) -> Value {
        match (value.read(), self.bytes(value)) {
            (Read::Double { .. }, _) => value,
            (Read::Int(v), _) => Value::double(v as f64),
            (_, Some(text)) => parse(text).map_or(Value::ABSENT, finite),
            _ => Value::ABSENT,
        }
    }

    pub(super) fn to_bool(&self, value: Value) -> Option<bool> {
        match (value.read(), self.bytes(value)) {
            (Read::Bool(v), _) => Some(v),
            (Read::Int(v), _) => Some(v != 0),
            (Read::Double { value, .. }, _) => Some(value != 0.0),
            (_, Some(b"true")) => Some(true),
            (_, Some(b"false")) => Some(false),
            _ => None,
        }
    }

    pub(super) fn change_case(
        &mut self,
        operand: ExprId,
        ascii: impl Fn(&u8) -> u8,
        other: impl Fn(&mut Bytes, char),
    ) -> Value {
        let value = self.text(operand);
        let Some(len) = self.bytes(value).map(<[u8]>::len) else { return Value::ABSENT };
        let start = self.trace.text.len();
        self.trace.text.room(len);
        let mut at = 0;
        while at < len {
            let rest = self.bytes(value).map_or(&[][..], |bytes| &bytes[at..]);
            let first = rest[0];
            if first.is_ascii() {
                self.trace.text.append(&[ascii(&first)]);
                at += 1;
                continue;
            }
            // The number of leading ones in the first byte is the number of bytes of the character.
            let width = (first.leading_ones() as usize).clamp(1, rest.len());
            let c = std::str::from_utf8(&rest[..width]).ok().and_then(|s| s.chars().next());
            other(&mut self.trace.text, c.unwrap_or(char::REPLACEMENT_CHARACTER));
            at += width;
        }
        Value::text(start, self.trace.text.len())
    }

    pub(super) fn pad(&mut self, operand: ExprId, width: usize) -> Value {
        let value = self.value(operand);
        let number = value.is_scalar();
        let value = self.as_text(value);
        let Some(text) = self.bytes(value) else { return Value::ABSENT };
        let (bytes, negative) = (text.len(), number && text.first() == Some(&b'-'));
        // The bytes that continue a character begin with the bits 10.
        let chars = text.iter().filter(|&b| b & 0xc0 != 0x80).count();
        if chars >= width {
            return value;
        }
        let start = self.trace.text.len();
        if negative {
            self.trace.text.append(b"-");
        }
        for _ in chars..width {
            self.trace.text.append(b"0");
        }
        let rest = match value.read() {
            Read::Text { at, .. } => Value::text(at + negative as usize, at + bytes),
            _ => value,
        };
        self.append_value(rest);
        Value::text(start, self.trace.text.len())
    }

    pub(super) fn clamp(&self, operand: Value, min: Value, max: Value) -> Value {
        use std::cmp::Ordering::{Greater, Less};
        match (self.order(operand, min), self.order(operand, max)) {
            (None, _) | (_, None) => Value::ABSENT,
            (_, Some(Greater)) => max,
            (Some(Less), _) => min,
            _ => operand,
        }
    }

    /// Returns the result of `make` for the text of an operand.
    #[inline(always)]
    pub(super) fn stable(&mut self, operand: ExprId, make: impl FnOnce(&mut Self, Value) -> Value) -> Value {
        let text = self.text(operand);
        if text.is_absent() { Value::ABSENT } else { make(self, text) }
    }

    pub(super) fn stable_words(&self, r#use: Use, block: u32, text: Value) -> [u64; 4] {
        self.code.stable.words(r#use, block, self.bytes(text).unwrap_or(&[]))
    }

    pub(super) fn stable_hex(&mut self, digits: u32, operand: Value) -> Value {
        let at = self.trace.text.len();
        let mut left = digits;
        for block in 0.. {
            let mut words = self.stable_words(Use::Hex, block, operand).into_iter();
            super::text::put_hex(&mut self.trace.text, left.min(64), || words.next().unwrap_or(0));
            left = left.saturating_sub(64);
            if left == 0 {
                break;
            }
        }
        Value::text(at, self.trace.text.len())
    }
}
