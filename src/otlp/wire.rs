//! Protobuf read where it stands: a message as its fields, nothing decoded that is not asked for, any bytes taken.

use super::MOST_PARTS;
use super::damage::Damage;
use prost::Message;
use std::fmt;

/// What is no protobuf message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

impl std::error::Error for Malformed {}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(NO_REQUEST)
    }
}

const NO_REQUEST: &str = "no protobuf of an ExportTraceServiceRequest";

/// A field's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value<'a> {
    Varint(u64),
    Fixed64(&'a [u8]),
    Fixed32(&'a [u8]),
    /// A message, a text or bytes.
    Delimited(&'a [u8]),
}

impl<'a> Value<'a> {
    /// As a field has it that is not written.
    pub fn is_default(self) -> bool {
        match self {
            Value::Varint(v) => v == 0,
            Value::Fixed64(bytes) | Value::Fixed32(bytes) => bytes.iter().all(|byte| *byte == 0),
            Value::Delimited(bytes) => bytes.is_empty(),
        }
    }

    /// `None`: it is a number.
    pub fn delimited(self) -> Option<&'a [u8]> {
        match self {
            Value::Delimited(bytes) => Some(bytes),
            _ => None,
        }
    }
}

/// The fields of a message, by their numbers. Ends after the first error.
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

    /// The first two numbers, and how many bytes they take: of a field that is a message, its tag and its length.
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

/// The messages, texts or bytes in the fields `number`.
pub fn all(message: &[u8], number: u64) -> impl Iterator<Item = Result<&[u8], Malformed>> {
    Fields(message).filter_map(move |field| match field {
        Ok((at, value)) if at == number => value.delimited().map(Ok),
        Ok(_) => None,
        Err(error) => Some(Err(error)),
    })
}

/// How far into `whole`, which it is cut from, `part` begins.
pub fn place(part: &[u8], whole: &[u8]) -> u64 {
    (part.as_ptr() as usize - whole.as_ptr() as usize) as u64
}

/// The last of them: what holds where it stands more than once. Empty where there is none.
pub fn last(message: &[u8], number: u64) -> Result<&[u8], Malformed> {
    all(message, number).try_fold(&[][..], |_, found| found)
}

/// What a message can hold more messages or texts in than it has bytes for in memory.
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

/// As deep as prost decodes.
const DEEPEST: usize = 100;

impl Kind {
    /// What stands in a field of it.
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

/// Count what is in a message, itself included, down from `room`.
fn count(message: &[u8], kind: Kind, deep: usize, room: &mut usize) -> Result<(), &'static str> {
    *room = room.checked_sub(1).ok_or("too many attributes, events, links and values in one message")?;
    if deep > DEEPEST {
        return Err("values are nested too deep");
    }
    if kind == Kind::Text {
        return Ok(());
    }
    for field in Fields(message) {
        let (number, value) = field.map_err(|_| NO_REQUEST)?;
        if let (Some(inner), Some(bytes)) = (kind.inner(number), value.delimited()) {
            count(bytes, inner, deep + 1, room)?;
        }
    }
    Ok(())
}

/// The whole message, decoded.
///
/// # Errors
/// It is none, or has more than [`MOST_PARTS`] parts.
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
        let message = |bytes: &[u8], kind| message::<trace::Span>(bytes, kind).map(|_| ()).map_err(|damage| damage.why);
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
