//! Protobuf as OTLP uses it: varints, length-delimited fields, `KeyValue` and `AnyValue`. The output is canonical, the same
//! as prost's: fields in the order of their numbers, lengths in the fewest bytes, defaults left out.
//!
//! Field numbers are those of `opentelemetry/proto/common/v1/common.proto`; a tag is `number << 3 | wire type`.

use crate::trace::{Bytes, Datum};

/// Returns the tag of a length-delimited field with a number of 1 to 15, as one byte.
pub const fn delimited(field: u8) -> u8 {
    field << 3 | 2
}

/// The maximum length of a varint in bytes.
pub const VARINT_MAX: usize = 10;

/// Returns the length of `v` as a varint, in bytes.
#[inline(always)]
pub fn varint_len(v: u64) -> usize {
    (v | 1).ilog2() as usize / 7 + 1
}

/// Appends `v` as a varint. There must be room for [`VARINT_MAX`] bytes.
#[inline(always)]
pub fn put_varint(out: &mut Bytes, v: u64) {
    let (bytes, n) = varint(v);
    out.put(bytes, n);
}

/// Returns `v` as a varint, and the number of bytes that it takes.
#[inline(always)]
pub fn varint(mut v: u64) -> ([u8; 16], usize) {
    let (mut bytes, mut n) = ([0; 16], 0);
    while v >= 0x80 {
        bytes[n] = v as u8 | 0x80;
        v >>= 7;
        n += 1;
    }
    bytes[n] = v as u8;
    (bytes, n + 1)
}

/// Returns the length of a length-delimited field with a tag of one byte, in bytes.
pub fn delimited_len(body: usize) -> usize {
    1 + varint_len(body as u64) + body
}

/// Appends the tag and the length of a field whose `len` bytes follow.
pub fn open(out: &mut Bytes, tag: u8, len: usize) {
    out.room(1 + VARINT_MAX);
    out.put([tag], 1);
    put_varint(out, len as u64);
}

/// Appends a text field, unless it is empty.
pub fn text(out: &mut Bytes, tag: u8, text: &[u8]) {
    if !text.is_empty() {
        open(out, tag, text.len());
        out.append(text);
    }
}

/// Appends a `fixed64` field, unless it is 0.
pub fn fixed64(out: &mut Bytes, tag: u8, v: u64) {
    if v != 0 {
        out.append(&[tag]);
        out.append(&v.to_le_bytes());
    }
}

fn text_len(text: &str) -> usize {
    if text.is_empty() { 0 } else { delimited_len(text.len()) }
}

/// Returns the length of an attribute in bytes.
pub fn attribute_len(key: &str, value: Datum<'_>) -> usize {
    delimited_len(text_len(key) + delimited_len(any_value_len(value)))
}

/// Appends an attribute: a `KeyValue` as the field `tag`.
pub fn attribute(out: &mut Bytes, tag: u8, key: &str, value: Datum<'_>) {
    let any = any_value_len(value);
    open(out, tag, text_len(key) + delimited_len(any));
    text(out, delimited(1), key.as_bytes());
    open(out, delimited(2), any);
    any_value(out, value);
}

/// Appends a text attribute, as [`attribute`] does.
pub fn text_attribute(out: &mut Bytes, tag: u8, key: &str, value: &[u8]) {
    let any = delimited_len(value.len());
    open(out, tag, text_len(key) + delimited_len(any));
    text(out, delimited(1), key.as_bytes());
    open(out, delimited(2), any);
    open(out, delimited(1), value.len());
    out.append(value);
}

/// Returns the length of an `AnyValue` in bytes.
fn any_value_len(value: Datum<'_>) -> usize {
    match value {
        Datum::Text(text) => delimited_len(text.len()),
        Datum::Bool(_) => 2,
        Datum::Int(v) => 1 + varint_len(v as u64),
        Datum::Double(_) => 9,
        Datum::Bytes(bytes) => delimited_len(bytes.len()),
        Datum::List(items) => delimited_len(items.iter().map(|item| delimited_len(any_value_len(item))).sum()),
        Datum::Map(entries) => delimited_len(entries.iter().map(|(key, value)| attribute_len(key, value)).sum()),
    }
}

/// Appends the only field of an `AnyValue`. Unlike other fields it is also written if it holds the default.
fn any_value(out: &mut Bytes, value: Datum<'_>) {
    match value {
        Datum::Text(text) => {
            open(out, delimited(1), text.len());
            out.append(text.as_bytes());
        }
        Datum::Bool(v) => out.append(&[0x10, v as u8]),
        Datum::Int(v) => {
            out.room(1 + VARINT_MAX);
            out.put([0x18], 1);
            put_varint(out, v as u64);
        }
        Datum::Double(v) => {
            out.append(&[0x21]);
            out.append(&v.to_le_bytes());
        }
        Datum::Map(entries) => {
            open(out, delimited(6), entries.iter().map(|(key, value)| attribute_len(key, value)).sum());
            entries.iter().for_each(|(key, value)| attribute(out, delimited(1), key, value));
        }
        Datum::Bytes(bytes) => {
            open(out, delimited(7), bytes.len());
            out.append(bytes);
        }
        Datum::List(items) => {
            open(out, delimited(5), items.iter().map(|item| delimited_len(any_value_len(item))).sum());
            for item in items.iter() {
                open(out, delimited(1), any_value_len(item));
                any_value(out, item);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_length_of_a_varint_is_right() {
        for shift in 0..64 {
            for v in [(1 << shift) - 1, 1 << shift, u64::MAX >> shift] {
                let (bytes, n) = varint(v);
                assert_eq!(n, varint_len(v), "{v}");
                assert_eq!(prost::encoding::decode_varint(&mut &bytes[..n]).unwrap(), v);
            }
        }
    }
}
