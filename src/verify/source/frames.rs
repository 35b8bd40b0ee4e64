//! The content of a file: JSON, or length-delimited messages as the collector's file exporter writes them. The first bytes
//! tell which. An exporter that compresses does so message by message.

use super::inflate::{ZSTD, inflated};
use crate::otlp::damage::Damage;
use crate::otlp::stream::LONGEST;
use crate::otlp::wire::Fields;
use std::borrow::Cow;
use std::io::{self, BufRead, Cursor, Read};

/// The number of bytes of a length.
const LENGTH_BYTES: usize = 4;
/// The number of bytes of a file's beginning that are examined.
const HEAD: u64 = 256;
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// The content of a stream.
pub enum Content<'s> {
    /// JSON, which begins at this offset of the stream.
    Json(u64, Box<dyn BufRead + 's>),
    Frames(Frames<'s>),
}

/// A reader of length-delimited messages.
pub struct Frames<'s> {
    stream: Box<dyn BufRead + 's>,
    /// The offset of the next length from the stream's beginning, in bytes.
    offset: u64,
    body: Vec<u8>,
}

/// A length-delimited request.
pub struct Frame<'f> {
    /// The offset of the request from the stream's beginning, in bytes.
    pub offset: u64,
    /// The request was compressed, so offsets in `body` are not offsets in the stream.
    pub packed: bool,
    pub body: Cow<'f, [u8]>,
}

impl Frame<'_> {
    pub fn is_json(&self) -> bool {
        self.body.first() == Some(&b'{')
    }
}

/// Finds out what a stream holds. Zeros before JSON are skipped: a file that was cut off while it was written to has them.
///
/// # Errors
/// The stream can't be read.
pub fn content<'s>(mut stream: impl BufRead + 's) -> io::Result<Content<'s>> {
    let zeros = skip_zeros(&mut stream)?;
    let mut head = vec![];
    stream.by_ref().take(HEAD).read_to_end(&mut head)?;
    // The last zeros belong to a length that is not zero; those before are the lengths of empty requests.
    let of_length = (zeros % LENGTH_BYTES as u64) as usize;
    if is_json(&head) && !(of_length > 0 && is_frame(&head, of_length)) {
        return Ok(Content::Json(zeros, Box::new(Cursor::new(head).chain(stream))));
    }
    head.splice(..0, vec![0; of_length]);
    let stream = Box::new(Cursor::new(head).chain(stream));
    Ok(Content::Frames(Frames { stream, offset: zeros - of_length as u64, body: vec![] }))
}

fn skip_zeros(stream: &mut impl BufRead) -> io::Result<u64> {
    let mut zeros = 0;
    loop {
        let bytes = stream.fill_buf()?;
        let found = bytes.iter().take_while(|byte| **byte == 0).count();
        let goes_on = found > 0 && found == bytes.len();
        stream.consume(found);
        zeros += found as u64;
        if !goes_on {
            return Ok(zeros);
        }
    }
}

/// Reports whether the content is JSON. A length whose first byte is `{` or `[` would be longer than any request.
fn is_json(head: &[u8]) -> bool {
    let head = head.strip_prefix(BYTE_ORDER_MARK).unwrap_or(head);
    matches!(head.iter().find(|byte| !byte.is_ascii_whitespace() && **byte != 0x1e), Some(b'{' | b'['))
}

/// Reports whether a length follows, of which `zeros` bytes that are zero have been skipped, and then a request of that
/// length, as far as its beginning tells.
fn is_frame(head: &[u8], zeros: usize) -> bool {
    let Some((length, body)) = head.split_at_checked(LENGTH_BYTES - zeros) else { return false };
    let length = length.iter().fold(0, |length, byte| length << 8 | usize::from(*byte));
    let body = &body[..body.len().min(length)];
    let is_message = match Fields(body).varints() {
        // The bytes behind the first field of the request.
        Some((0x0a, field, header)) => {
            let end = header.saturating_add(usize::try_from(field).unwrap_or(usize::MAX));
            end == length || end < length && body.get(end).is_none_or(|tag| *tag == 0x0a)
        }
        _ => false,
    };
    is_message || body.starts_with(ZSTD) || body.starts_with(b"{\"")
}

impl Frames<'_> {
    /// Reads the next request; `None` if the stream has ended between requests.
    ///
    /// # Errors
    /// The stream ends inside of a request, or can't be read.
    pub fn next(&mut self) -> Result<Option<Frame<'_>>, Damage> {
        let offset = self.offset;
        self.body.clear();
        let mut length = vec![];
        self.stream.by_ref().take(LENGTH_BYTES as u64).read_to_end(&mut length).map_err(|e| Damage::new(offset, e))?;
        let length = match *length {
            [] => return Ok(None),
            [a, b, c, d] => u32::from_be_bytes([a, b, c, d]) as usize,
            _ => return Err(Damage::new(offset, "it ends inside the length of a request")),
        };
        if length > LONGEST {
            return Err(Damage::new(offset, format!("a length of {length} bytes: no request is that long")));
        }
        let offset = offset + LENGTH_BYTES as u64;
        let read =
            self.stream.by_ref().take(length as u64).read_to_end(&mut self.body).map_err(|e| Damage::new(offset, e))?;
        if read < length {
            return Err(Damage::new(offset, format!("it ends inside a request, {read} of {length} bytes long")));
        }
        self.offset = offset + length as u64;
        let packed = self.body.starts_with(ZSTD);
        let body = match packed {
            true => Cow::Owned(decompressed(&self.body, LONGEST).map_err(|reason| Damage::new(offset, reason))?),
            false => Cow::Borrowed(&self.body[..]),
        };
        Ok(Some(Frame { offset, packed, body }))
    }
}

fn decompressed(body: &[u8], longest: usize) -> Result<Vec<u8>, String> {
    let mut plain = vec![];
    let unpacked = inflated(body).map_err(|e| e.to_string())?.stream.take(longest as u64 + 1).read_to_end(&mut plain);
    unpacked.map_err(|e| format!("a request that is not valid zstd: {e}"))?;
    if plain.len() > longest { Err(format!("a request of more than {} MiB", longest >> 20)) } else { Ok(plain) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::otlp::write;
    use proptest::prelude::*;

    /// The offset, `j` for a JSON message or `J` for a JSON file, and the bytes of what was found.
    type Found = (u64, char, Vec<u8>);

    /// Reads all frames, and returns the damage at the end, if any.
    fn read(bytes: &[u8]) -> (Vec<Found>, Option<Damage>) {
        let mut all = vec![];
        let mut frames = match content(bytes).unwrap() {
            Content::Frames(frames) => frames,
            Content::Json(offset, mut stream) => {
                let mut text = vec![];
                stream.read_to_end(&mut text).unwrap();
                return (vec![(offset, 'J', text)], None);
            }
        };
        loop {
            match frames.next() {
                Ok(Some(frame)) => {
                    all.push((frame.offset, if frame.is_json() { 'j' } else { 'p' }, frame.body.into_owned()));
                }
                Ok(None) => return (all, None),
                Err(damage) => return (all, Some(damage)),
            }
        }
    }

    fn framed(body: &[u8]) -> Vec<u8> {
        [&(body.len() as u32).to_be_bytes(), body].concat()
    }

    fn zstd(body: &[u8]) -> Vec<u8> {
        ruzstd::encoding::compress_to_vec(body, ruzstd::encoding::CompressionLevel::Fastest)
    }

    #[test]
    fn json_and_length_delimited_messages_are_told_apart() {
        let file = [framed(b"\x0a\x01x"), framed(b""), framed(b"{}"), framed(&zstd(b"{\"b\":2}"))].concat();
        let (messages, end) = read(&file);
        let bodies: Vec<_> = messages.iter().map(|(offset, kind, body)| (*offset, *kind, &body[..])).collect();
        assert_eq!(bodies, [(4, 'p', &b"\x0a\x01x"[..]), (11, 'p', b""), (15, 'j', b"{}"), (21, 'j', b"{\"b\":2}")]);
        assert_eq!(end, None);
        assert_eq!(read(b"").0.len(), 0);
        for (text, zeros) in [
            (&b"{\"a\":1}\n{}"[..], 0),
            (b" \n[{}]", 0),
            (b"\xef\xbb\xbf{\n}", 0),
            (b"\x1e{}", 0),
            (b"{", 0),
            (b"{\n \"a\": 1}", 1),
            (b"{\"a\":1}", 2),
            (b"[\n{", 3),
            (b"{}", 4),
            (b"\xef\xbb\xbf{}", 5_000_000),
        ] {
            let (found, _) = read(&[vec![0; zeros], text.to_vec()].concat());
            assert_eq!(found, [(zeros as u64, 'J', text.to_vec())]);
        }
        // Lengths may contain the bytes of `{` and `[`, also behind empty requests.
        for length in [0x5b, 0x7b, 0x5b5b, 0x7b22, 0x7b7d, 0x5b7b, 0x7b_0000] {
            let mut body = vec![];
            write::field(&mut body, 1, &vec![0; length - 6]);
            for empty in 0..3 {
                let (found, damage) = read(&[vec![0; 4 * empty], framed(&body)].concat());
                assert!(found.last().unwrap().2 == body && damage.is_none(), "{length:x} {empty}");
            }
        }
    }

    #[test]
    fn damage_is_reported_with_its_place() {
        let file = [framed(b"abc"), framed(b"defgh")].concat();
        for (bytes, offset, reason) in [
            (&file[..14], 11, "3 of 5 bytes"),
            (&file[..9], 7, "inside the length"),
            (&[&file[..], b"\xff\xff\xff\xff"].concat(), 16, "no request is that long"),
            (&framed(&zstd(b"x")[..6]), 4, ""),
        ] {
            let damage = read(bytes).1.unwrap();
            assert!(damage.offset == offset && damage.reason.contains(reason), "{damage:?}");
        }
    }

    #[test]
    fn a_message_that_decompresses_to_too_much_is_damage() {
        let packed = zstd(&vec![b' '; (1 << 20) + 1]);
        assert!(packed.len() < 1_000);
        assert_eq!(decompressed(&packed, 1 << 20).unwrap_err(), "a request of more than 1 MiB");
        assert_eq!(decompressed(&packed, 2 << 20).map(|plain| plain.len()), Ok((1 << 20) + 1));
    }

    proptest! {
        #[test]
        fn any_bytes_are_taken(bytes: Vec<u8>) {
            read(&bytes);
            if let Ok(mut unpacked) = inflated(&bytes[..]) {
                let _ = unpacked.stream.read_to_end(&mut vec![]);
            }
        }
    }
}
