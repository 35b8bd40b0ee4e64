//! A value at run time: two numbers; texts and lists are given by their place in the trace.

use crate::plan::{Plan, TextId};

/// A value of an attribute or a slot: two numbers that each fit a register. If it had 12 bytes, it would be returned
/// through memory, written in parts for which its reader has to wait; this saves 4 ns a span.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Value {
    /// The kind is in the top three bits. The bits below contain the length of a text or of bytes; the digits of a double;
    /// or for a list or a map, whether it is a map, its depth and its length.
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
    /// A map in [`super::Trace::values`]: its keys, which are texts, each before its value.
    Map {
        at: usize,
        len: usize,
    },
    /// Bytes in [`super::Trace::text`].
    Bytes {
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
const BYTES: u32 = 7;
/// The head of a list or a map contains its length, its depth, and whether it is a map.
const LENGTH: u32 = 24;
const DEPTH: u32 = 4;
const IS_MAP: u32 = 1 << (LENGTH + DEPTH);
/// The digits in the head of a double without a fixed number of digits.
const SHORTEST: u32 = LOW;

impl Value {
    /// The absent value.
    pub const ABSENT: Value = Value { head: ABSENT << KIND, bits: 0 };
    /// The maximum number of levels of lists and maps.
    pub const MAX_DEPTH: u32 = (1 << DEPTH) - 1;
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

    /// Makes the bytes `trace.text[at..end]`.
    pub fn bytes(at: usize, end: usize) -> Value {
        debug_assert!(end - at <= Value::MAX_TEXT);
        Value { head: (end - at) as u32 | BYTES << KIND, bits: at as u64 }
    }

    /// Makes the list `trace.values[at..at + len]`, whose deepest element has `inside` levels, fewer than
    /// [`Value::MAX_DEPTH`].
    #[inline(always)]
    pub fn list(at: usize, len: usize, inside: u32) -> Value {
        debug_assert!(len < 1 << LENGTH && inside < Value::MAX_DEPTH);
        Value { head: len as u32 | (inside + 1) << LENGTH | LIST << KIND, bits: at as u64 }
    }

    /// Makes the map whose keys and values are `trace.values[at..at + 2 * len]`, and whose deepest value has `inside`
    /// levels.
    pub fn map(at: usize, len: usize, inside: u32) -> Value {
        let list = Value::list(at, len, inside);
        Value { head: list.head | IS_MAP, ..list }
    }

    /// Returns the same list, map, text or bytes at another position.
    pub fn moved(self, at: usize) -> Value {
        Value { bits: at as u64, ..self }
    }

    /// Returns the number of levels of lists and maps, itself included.
    pub fn depth(self) -> u32 {
        if self.head >> KIND == LIST { self.head >> LENGTH & ((1 << DEPTH) - 1) } else { 0 }
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
            LIST => {
                let len = len & ((1 << LENGTH) - 1);
                if self.head & IS_MAP != 0 { Read::Map { at, len } } else { Read::List { at, len } }
            }
            BYTES => Read::Bytes { at, len },
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
            (Value::list(3, 2, 0), Read::List { at: 3, len: 2 }),
            (Value::map(3, (1 << 24) - 1, 14), Read::Map { at: 3, len: (1 << 24) - 1 }),
            (Value::bytes(3, 9), Read::Bytes { at: 3, len: 6 }),
            (Value::ABSENT, Read::Absent),
        ] {
            assert_eq!(value.read(), read);
            let (list, map) = (Value::list(0, 5, 2), Value::map(0, 5, 14));
            assert_eq!((list.depth(), map.depth(), Value::int(-1).depth()), (3, Value::MAX_DEPTH, 0));
            assert_eq!(map.moved(7).read(), Read::Map { at: 7, len: 5 });
            assert_eq!(value.is_scalar(), matches!(read, Read::Int(_) | Read::Double { .. } | Read::Bool(_)));
        }
    }
}
