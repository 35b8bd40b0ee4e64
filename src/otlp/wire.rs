//! A protobuf reader that works in place: it yields the fields of a message without decoding them, and accepts any bytes.

use super::MOST_PARTS;
use super::damage::Damage;
use prost::Message;
use std::fmt;

/// The error for bytes that are not a protobuf message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

impl std::error::Error for Malformed {}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(NO_REQUEST)
    }
}

const NO_REQUEST: &str = "not an ExportTraceServiceRequest in protobuf";

/// The value of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value<'a> {
    Varint(u64),
    Fixed64(&'a [u8]),
    Fixed32(&'a [u8]),
    /// A message, a string or bytes.
    Delimited(&'a [u8]),
}

impl<'a> Value<'a> {
    /// Reports whether this is the default value, which writers leave out.
    pub fn is_default(self) -> bool {
        match self {
            Value::Varint(v) => v == 0,
            Value::Fixed64(bytes) | Value::Fixed32(bytes) => bytes.iter().all(|byte| *byte == 0),
            Value::Delimited(bytes) => bytes.is_empty(),
        }
    }

    /// Returns the bytes of a message, a string or bytes; `None` for a number.
    pub fn delimited(self) -> Option<&'a [u8]> {
        match self {
            Value::Delimited(bytes) => Some(bytes),
            _ => None,
        }
    }
}

/// An iterator over the fields of a message, each with its number. It ends after the first error.
pub struct Fields<'a>(pub &'a [u8]);

impl<'a> Iterator for Fields<'a> {
    type Item = Result<(u64, Value<'a>), Malformed>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let field = self.read();
        if field.is_err() {
            self.0 = &[];
        }
        Some(field)
    }
}

impl<'a> Fields<'a> {
    #[inline]
    fn read(&mut self) -> Result<(u64, Value<'a>), Malformed> {
        let tag = self.varint()?;
        let value = match tag & 7 {
            0 => Value::Varint(self.varint()?),
            1 => Value::Fixed64(self.take(8)?),
            2 => {
                let length = usize::try_from(self.varint()?).map_err(|_| Malformed)?;
                Value::Delimited(self.take(length)?)
            }
            5 => Value::Fixed32(self.take(4)?),
            _ => return Err(Malformed),
        };
        Ok((tag >> 3, value))
    }

    /// Returns the first two varints and the number of bytes that they take. For a field that holds a message, they are its
    /// tag and its length.
    pub fn varints(mut self) -> Option<(u64, u64, usize)> {
        let whole = self.0.len();
        let (tag, length) = (self.varint().ok()?, self.varint().ok()?);
        Some((tag, length, whole - self.0.len()))
    }

    #[inline]
    fn take(&mut self, n: usize) -> Result<&'a [u8], Malformed> {
        let (taken, rest) = self.0.split_at_checked(n).ok_or(Malformed)?;
        self.0 = rest;
        Ok(taken)
    }

    #[inline]
    fn varint(&mut self) -> Result<u64, Malformed> {
        let mut value = 0;
        for (i, byte) in self.0.iter().take(10).enumerate() {
            value |= ((byte & 0x7f) as u64) << (7 * i);
            if *byte < 0x80 {
                self.0 = &self.0[i + 1..];
                return Ok(value);
            }
        }
        Err(Malformed)
    }
}

/// Returns the messages, strings or bytes in the fields with the given number.
pub fn all(message: &[u8], number: u64) -> impl Iterator<Item = Result<&[u8], Malformed>> {
    Fields(message).filter_map(move |field| match field {
        Ok((at, value)) if at == number => value.delimited().map(Ok),
        Ok(_) => None,
        Err(error) => Some(Err(error)),
    })
}

/// Returns the offset of `part` in `whole`, which it must be a slice of.
pub fn place(part: &[u8], whole: &[u8]) -> u64 {
    (part.as_ptr() as usize - whole.as_ptr() as usize) as u64
}

/// Returns the last field with the given number, which is the one that counts when a field is repeated; empty if there is
/// none.
///
/// # Errors
/// The message is malformed.
pub fn last(message: &[u8], number: u64) -> Result<&[u8], Malformed> {
    all(message, number).try_fold(&[][..], |_, found| found)
}

/// The kinds of messages whose parts can take more memory than they have encoded bytes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Span,
    Resource,
    Scope,
    Event,
    Link,
    EntityRef,
    KeyValue,
    AnyValue,
    Array,
    KeyValueList,
    Text,
}

/// The deepest nesting that prost decodes.
const DEEPEST: usize = 100;

impl Kind {
    /// Returns the kind of the message in field `number`, or `None` for a field whose size in memory is not an issue.
    fn inner(self, number: u64) -> Option<Kind> {
        Some(match (self, number) {
            (Kind::Span, 9) | (Kind::Resource | Kind::KeyValueList, 1) => Kind::KeyValue,
            (Kind::Scope | Kind::Event, 3) | (Kind::Link, 4) => Kind::KeyValue,
            (Kind::Span, 11) => Kind::Event,
            (Kind::Span, 13) => Kind::Link,
            (Kind::Resource, 3) => Kind::EntityRef,
            (Kind::EntityRef, 3 | 4) => Kind::Text,
            (Kind::KeyValue, 2) | (Kind::Array, 1) => Kind::AnyValue,
            (Kind::AnyValue, 5) => Kind::Array,
            (Kind::AnyValue, 6) => Kind::KeyValueList,
            _ => return None,
        })
    }
}

/// Counts a message and the messages inside of it down from `room`.
fn count(message: &[u8], kind: Kind, depth: usize, room: &mut usize) -> Result<(), &'static str> {
    *room = room.checked_sub(1).ok_or("too many attributes, events, links and values in one message")?;
    if depth > DEEPEST {
        return Err("values are nested too deep");
    }
    if kind == Kind::Text {
        return Ok(());
    }
    for field in Fields(message) {
        let (number, value) = field.map_err(|_| NO_REQUEST)?;
        if let (Some(inner), Some(bytes)) = (kind.inner(number), value.delimited()) {
            count(bytes, inner, depth + 1, room)?;
        }
    }
    Ok(())
}

/// Decodes a whole message.
///
/// # Errors
/// The bytes are not such a message, or it has more than [`MOST_PARTS`] parts.
pub fn message<M: Message + Default>(bytes: &[u8], kind: Kind) -> Result<M, Damage> {
    count(bytes, kind, 0, &mut { MOST_PARTS }).map_err(|why| Damage::new(0, why))?;
    M::decode(bytes).map_err(|error| Damage::new(0, format!("{NO_REQUEST} ({error})")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use opentelemetry_proto::tonic::trace::v1 as trace;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_bytes_are_taken(bytes: Vec<u8>) {
            let _ = Fields(&bytes).count();
        }
    }

    #[test]
    fn what_unfolds_to_too_much_is_refused() {
        let message =
            |bytes: &[u8], kind| message::<trace::Span>(bytes, kind).map(|_| ()).map_err(|damage| damage.reason);
        let bytes: Vec<u8> = [0x4a, 0].repeat(MOST_PARTS);
        assert!(message(&bytes, Kind::Span).unwrap_err().starts_with("too many attributes"));
        assert_eq!(message(&bytes[..1_000], Kind::Span), Ok(()));
        // An event with as many attributes; links.
        let events = [&[0x5a, 0x80, 0x80, 0x08][..], &[0x1a, 0].repeat(MOST_PARTS)].concat();
        let links = [0x6a, 0].repeat(MOST_PARTS);
        for bytes in [events, links] {
            assert!(message(&bytes, Kind::Span).unwrap_err().starts_with("too many attributes"));
        }
        // A value in a list in a value in a list ..
        let mut value = vec![];
        for _ in 0..200 {
            value =
                [0x0a, 0x80 | value.len() as u8 & 0x7f, (value.len() >> 7) as u8].into_iter().chain(value).collect();
            value =
                [0x2a, 0x80 | value.len() as u8 & 0x7f, (value.len() >> 7) as u8].into_iter().chain(value).collect();
        }
        assert!(message(&value, Kind::AnyValue).unwrap_err().contains("nested too deep"));
        let texts = [&[0x1a, 0x80, 0x80, 0x08][..], &[0x1a, 0].repeat(MOST_PARTS)].concat();
        assert!(message(&texts, Kind::Resource).unwrap_err().starts_with("too many attributes"));
    }

    #[test]
    fn fields_are_read_where_they_stand() {
        let message = b"\x08\x96\x01\x12\x02ab\x19\0\0\0\0\0\0\0\0\x25\0\0\0\x01\x12\x01c\x1a\0";
        let fields: Vec<_> = Fields(message).map(Result::unwrap).collect();
        let numbers = [(1, Value::Varint(150)), (3, Value::Fixed64(&[0; 8])), (4, Value::Fixed32(&[0, 0, 0, 1]))];
        let [number, time, flags] = numbers;
        let [ab, c, empty] = [(2, &b"ab"[..]), (2, b"c"), (3, b"")].map(|(at, bytes)| (at, Value::Delimited(bytes)));
        assert_eq!(fields, [number, ab, time, flags, c, empty]);
        assert!(time.1.is_default() && empty.1.is_default() && !flags.1.is_default() && !number.1.is_default());
        assert_eq!((last(message, 2), last(message, 9)), (Ok(&b"c"[..]), Ok(&b""[..])));
        for damaged in [&b"\x12\x05ab"[..], b"\x0b", b"\x12", &[0xff; 11], b"\x11\0"] {
            assert_eq!(last(damaged, 2), Err(Malformed), "{damaged:?}");
        }
    }
}
