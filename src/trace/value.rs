//! A value at run time: two numbers, texts and lists by their place in the trace.

/// What an attribute holds, or a slot. Two numbers of a register each: in 12 bytes it would be returned through memory, written
/// in parts that its reader has to wait for. (Measured: 4 ns a span.)
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Value {
    /// Kind in the top three bits; below it a text's length in bytes, a list's length, a double's digits.
    head: u32,
    bits: u64,
}

/// A value taken apart.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Read {
    /// In [`super::Trace::text`].
    Text {
        at: usize,
        len: usize,
    },
    /// In the plan's text pool.
    Const {
        at: usize,
        len: usize,
    },
    Int(i64),
    /// `digits`: how many its text has behind the point; `None`: as many as it takes to read it back.
    Double {
        value: f64,
        digits: Option<u8>,
    },
    Bool(bool),
    /// In [`super::Trace::values`].
    List {
        at: usize,
        len: usize,
    },
    /// No value: an attribute is left out.
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
/// In a double's head: no fixed number of digits.
const SHORTEST: u32 = LOW;

impl Value {
    pub const ABSENT: Value = Value { head: ABSENT << KIND, bits: 0 };
    /// Longest text, in bytes.
    pub const MAX_TEXT: usize = LOW as usize;

    /// `trace.text[at..end]`.
    #[inline(always)]
    pub fn text(at: usize, end: usize) -> Value {
        debug_assert!(end - at <= Value::MAX_TEXT);
        Value { head: (end - at) as u32, bits: at as u64 }
    }

    /// A text of the plan, as `Plan::text_at` gives it.
    #[inline(always)]
    pub fn constant((at, len): (u32, u32)) -> Value {
        Value { head: len | CONST << KIND, bits: at as u64 }
    }

    #[inline(always)]
    pub fn int(v: i64) -> Value {
        Value { head: INT << KIND, bits: v as u64 }
    }

    /// A double whose text is the shortest that reads back.
    #[inline(always)]
    pub fn double(v: f64) -> Value {
        Value { head: DOUBLE << KIND | SHORTEST, bits: v.to_bits() }
    }

    /// A double whose text has `digits` digits behind the point.
    #[inline(always)]
    pub fn fixed(v: f64, digits: u8) -> Value {
        Value { head: DOUBLE << KIND | digits as u32, bits: v.to_bits() }
    }

    #[inline(always)]
    pub fn bool(v: bool) -> Value {
        Value { head: BOOL << KIND, bits: v as u64 }
    }

    /// `trace.values[at..at + len]`.
    #[inline(always)]
    pub fn list(at: usize, len: usize) -> Value {
        Value { head: len as u32 | LIST << KIND, bits: at as u64 }
    }

    /// Offset and length, if this is a text of the trace shorter than `limit` (at most 2^29) bytes.
    #[inline(always)]
    pub fn short_text(self, limit: u32) -> Option<(usize, usize)> {
        (self.head < limit).then_some((self.bits as usize, self.head as usize))
    }

    /// Int, double or bool.
    #[inline(always)]
    pub fn is_scalar(self) -> bool {
        (INT..=BOOL).contains(&(self.head >> KIND))
    }

    #[inline(always)]
    pub fn is_absent(self) -> bool {
        self.head >> KIND == ABSENT
    }

    #[inline(always)]
    pub fn read(self) -> Read {
        let (at, len) = (self.bits as usize, (self.head & LOW) as usize);
        match self.head >> KIND {
            TEXT => Read::Text { at, len },
            CONST => Read::Const { at, len },
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

    #[test]
    fn a_value_reads_back_as_it_was_made() {
        assert_eq!(size_of::<Value>(), 16);
        for (value, read) in [
            (Value::text(5, 9), Read::Text { at: 5, len: 4 }),
            (Value::constant((7, 0)), Read::Const { at: 7, len: 0 }),
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
