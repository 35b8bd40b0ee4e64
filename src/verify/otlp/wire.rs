//! Protobuf read where it stands: a message as its fields, nothing decoded that is not asked for, any bytes taken.

use std::fmt;

/// What is no protobuf message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

impl std::error::Error for Malformed {}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no protobuf of an ExportTraceServiceRequest")
    }
}

/// The fields of a message that are messages, texts or bytes themselves, with their numbers; others are passed over. Ends
/// after the first error.
pub struct Fields<'a>(pub &'a [u8]);

impl<'a> Iterator for Fields<'a> {
    type Item = Result<(u64, &'a [u8]), Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        let field = self.read();
        if field.is_err() {
            self.0 = &[];
        }
        field.transpose()
    }
}

impl<'a> Fields<'a> {
    fn read(&mut self) -> Result<Option<(u64, &'a [u8])>, Malformed> {
        while !self.0.is_empty() {
            let tag = self.varint()?;
            match tag & 7 {
                0 => drop(self.varint()?),
                1 => drop(self.take(8)?),
                2 => {
                    let length = usize::try_from(self.varint()?).map_err(|_| Malformed)?;
                    return Ok(Some((tag >> 3, self.take(length)?)));
                }
                5 => drop(self.take(4)?),
                _ => return Err(Malformed),
            }
        }
        Ok(None)
    }

    fn take(&mut self, n: usize) -> Result<&'a [u8], Malformed> {
        let (taken, rest) = self.0.split_at_checked(n).ok_or(Malformed)?;
        self.0 = rest;
        Ok(taken)
    }

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

/// The last field `number`: what holds where it stands more than once.
pub fn last(message: &[u8], number: u64) -> Result<&[u8], Malformed> {
    let mut found = &[][..];
    for field in Fields(message) {
        let (at, bytes) = field?;
        if at == number {
            found = bytes;
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_bytes_are_taken(bytes: Vec<u8>) {
            let _ = Fields(&bytes).count();
        }
    }

    #[test]
    fn fields_are_read_where_they_stand() {
        let message = b"\x08\x96\x01\x12\x02ab\x19\0\0\0\0\0\0\0\0\x25\0\0\0\0\x12\x01c\x1a\0";
        let fields: Vec<_> = Fields(message).map(Result::unwrap).collect();
        assert_eq!(fields, [(2, &b"ab"[..]), (2, b"c"), (3, b"")]);
        assert_eq!((last(message, 2), last(message, 9)), (Ok(&b"c"[..]), Ok(&b""[..])));
        for damaged in
            [&b"\x12\x05ab"[..], b"\x0b", b"\x12", b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", b"\x11\0"]
        {
            assert_eq!(last(damaged, 2), Err(Malformed), "{damaged:?}");
        }
    }
}
