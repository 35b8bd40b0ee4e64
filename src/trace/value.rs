//! A value at run time: two numbers; texts and lists are given by their place in the trace.

use crate::plan::{Plan, TextId};

/// A value of an attribute or a slot: two numbers that each fit a register. If it had 12 bytes, it would be returned
/// through memory, written in parts for which its reader has to wait; this saves 4 ns a span.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Value {
    /// The kind in the top three bits; below them a text's length in bytes, a list's length, or a double's digits.
    head: u32,
    /// The number itself, the position of a text or a list, or the id of a text of the plan.
    bits: u64,
}

/// A value, decoded.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Read {
    /// A text in [`super::Trace::text`].
    Text {
        at: usize,
        len: usize,
    },
    /// A text of the plan, and its length in bytes.
    Const {
        text: TextId,
        len: usize,
    },
    Int(i64),
    /// A double. Its text has `digits` digits behind the point, or as many as it takes to read it back for `None`.
    Double {
        value: f64,
        digits: Option<u8>,
    },
    Bool(bool),
    /// A list in [`super::Trace::values`].
    List {
        at: usize,
        len: usize,
    },
    /// No value: an attribute without one is left out.
    Absent,
}

const KIND: u32 = 29;
const LOW: u32 = (1 << KIND) - 1;
const TEXT: u32 = 0;
const CONST: u32 = 1;
const INT: u32 = 2;
const DOUBLE: u32 = 3;
const BOOL: u32 = 4;
const LIST: u32 = 5;
const ABSENT: u32 = 6;
/// The digits in the head of a double without a fixed number of digits.
const SHORTEST: u32 = LOW;

impl Value {
    /// The absent value.
    pub const ABSENT: Value = Value { head: ABSENT << KIND, bits: 0 };
    /// The maximum length of a text in bytes.
    pub const MAX_TEXT: usize = LOW as usize;

    /// Makes the text `trace.text[at..end]`.
    #[inline(always)]
    pub fn text(at: usize, end: usize) -> Value {
        debug_assert!(end - at <= Value::MAX_TEXT);
        Value { head: (end - at) as u32, bits: at as u64 }
    }

    /// Makes a text of the plan.
    #[inline(always)]
    pub fn constant(plan: &Plan, id: TextId) -> Value {
        Value { head: plan.text(id).len() as u32 | CONST << KIND, bits: id.0 as u64 }
    }

    /// Makes an int.
    #[inline(always)]
    pub fn int(v: i64) -> Value {
        Value { head: INT << KIND, bits: v as u64 }
    }

    /// Makes a double whose text is the shortest that reads back.
    #[inline(always)]
    pub fn double(v: f64) -> Value {
        Value { head: DOUBLE << KIND | SHORTEST, bits: v.to_bits() }
    }

    /// Makes a double whose text has `digits` digits behind the point.
    #[inline(always)]
    pub fn fixed(v: f64, digits: u8) -> Value {
        Value { head: DOUBLE << KIND | digits as u32, bits: v.to_bits() }
    }

    /// Makes a bool.
    #[inline(always)]
    pub fn bool(v: bool) -> Value {
        Value { head: BOOL << KIND, bits: v as u64 }
    }

    /// Makes the list `trace.values[at..at + len]`.
    #[inline(always)]
    pub fn list(at: usize, len: usize) -> Value {
        Value { head: len as u32 | LIST << KIND, bits: at as u64 }
    }

    /// Returns the offset and the length if this is a text of the trace shorter than `limit` (at most 2^29) bytes.
    #[inline(always)]
    pub fn short_text(self, limit: u32) -> Option<(usize, usize)> {
        (self.head < limit).then_some((self.bits as usize, self.head as usize))
    }

    /// Reports whether the value is an int, a double or a bool.
    #[inline(always)]
    pub fn is_scalar(self) -> bool {
        (INT..=BOOL).contains(&(self.head >> KIND))
    }

    /// Reports whether the value is absent.
    #[inline(always)]
    pub fn is_absent(self) -> bool {
        self.head >> KIND == ABSENT
    }

    /// Returns the value decoded.
    #[inline(always)]
    pub fn read(self) -> Read {
        let (at, len) = (self.bits as usize, (self.head & LOW) as usize);
        match self.head >> KIND {
            TEXT => Read::Text { at, len },
            CONST => Read::Const { text: TextId(at as u32), len },
            INT => Read::Int(self.bits as i64),
            DOUBLE => {
                let digits = self.head & LOW;
                Read::Double { value: f64::from_bits(self.bits), digits: (digits != SHORTEST).then_some(digits as u8) }
            }
            BOOL => Read::Bool(self.bits != 0),
            LIST => Read::List { at, len },
            _ => Read::Absent,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::fixture;

    #[test]
    fn a_value_reads_back_as_it_was_made() {
        assert_eq!(size_of::<Value>(), 16);
        let plan = fixture::plan();
        for (value, read) in [
            (Value::text(5, 9), Read::Text { at: 5, len: 4 }),
            (Value::constant(&plan, TextId(7)), Read::Const { text: TextId(7), len: plan.texts[7].len() }),
            (Value::int(i64::MIN), Read::Int(i64::MIN)),
            (Value::double(-0.1), Read::Double { value: -0.1, digits: None }),
            (Value::fixed(2.5, 2), Read::Double { value: 2.5, digits: Some(2) }),
            (Value::bool(true), Read::Bool(true)),
            (Value::list(3, 2), Read::List { at: 3, len: 2 }),
            (Value::ABSENT, Read::Absent),
        ] {
            assert_eq!(value.read(), read);
            assert_eq!(value.is_scalar(), matches!(read, Read::Int(_) | Read::Double { .. } | Read::Bool(_)));
        }
    }
}
