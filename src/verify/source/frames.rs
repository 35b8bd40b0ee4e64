//! A stream of requests, one by one: JSON lines, or messages behind their lengths, as the collector's file exporter writes
//! them. It compresses each message by itself, where it does.

use super::inflate::{ZSTD, inflated};
use std::borrow::Cow;
use std::io::{BufRead, Read};

/// The longest message that is read, bytes: a longer length is damage.
const LONGEST: u64 = 256 << 20;
/// How a request begins in JSON: after damage, reading goes on with the next.
const BEGIN: &[u8] = b"{\"resourceSpans\"";

pub struct Frames<R> {
    stream: R,
    /// Where the next message begins, bytes from the stream's beginning.
    at: u64,
    lines: Option<bool>,
    body: Vec<u8>,
}

/// One request, and where it begins.
pub struct Frame<'f> {
    pub at: u64,
    pub body: Body<'f>,
}

pub enum Body<'f> {
    Json(Cow<'f, [u8]>),
    Protobuf(Cow<'f, [u8]>),
}

/// From that byte on the rest can't be read.
#[derive(Debug, PartialEq, Eq)]
pub struct Broken {
    pub at: u64,
    pub why: String,
}

impl<R: BufRead> Frames<R> {
    pub fn new(stream: R) -> Frames<R> {
        Frames { stream, at: 0, lines: None, body: vec![] }
    }

    /// `None`: the stream has ended where a request has.
    ///
    /// # Errors
    /// It ends inside of one, or can't be read on.
    pub fn next(&mut self) -> Result<Option<Frame<'_>>, Broken> {
        let at = self.at;
        self.body.clear();
        let lines = match self.lines {
            Some(lines) => lines,
            None => {
                let first =
                    self.stream.fill_buf().map_err(|e| broken(at, e))?.iter().find(|b| !b.is_ascii_whitespace());
                *self.lines.insert(first == Some(&b'{'))
            }
        };
        if lines {
            return self.line(at);
        }
        let mut length = vec![];
        self.stream.by_ref().take(4).read_to_end(&mut length).map_err(|e| broken(at, e))?;
        let length = match *length {
            [] => return Ok(None),
            [a, b, c, d] => u32::from_be_bytes([a, b, c, d]) as u64,
            _ => return Err(broken(at, "it ends inside the length of a request")),
        };
        if length > LONGEST {
            return Err(broken(at, format!("a length of {length} bytes: no request is as long")));
        }
        let read = self.stream.by_ref().take(length).read_to_end(&mut self.body).map_err(|e| broken(at, e))?;
        if (read as u64) < length {
            return Err(broken(at, format!("it ends inside a request, {read} of {length} bytes long")));
        }
        self.at = at + 4 + length;
        let mut body = Cow::Borrowed(&self.body[..]);
        if body.starts_with(ZSTD) {
            body = Cow::Owned(decompressed(&body).map_err(|why| broken(at, why))?);
        }
        let is_json = body.first() == Some(&b'{');
        Ok(Some(Frame { at, body: if is_json { Body::Json(body) } else { Body::Protobuf(body) } }))
    }

    fn line(&mut self, at: u64) -> Result<Option<Frame<'_>>, Broken> {
        let read = self.stream.by_ref().take(LONGEST).read_until(b'\n', &mut self.body).map_err(|e| broken(at, e))?;
        self.at = at + read as u64;
        match self.body.last() {
            None => Ok(None),
            Some(b'\n') => Ok(Some(Frame { at, body: Body::Json(Cow::Borrowed(&self.body[..read - 1])) })),
            Some(_) if read as u64 == LONGEST => Err(broken(at, "a line is longer than any request")),
            // The last line may be without its end.
            Some(_) => Ok(Some(Frame { at, body: Body::Json(Cow::Borrowed(&self.body)) })),
        }
    }
}

/// Where in a damaged line the next request begins: a writer that was killed and went on left no line end between.
pub fn begins_again(line: &[u8]) -> Option<usize> {
    line.windows(BEGIN.len()).skip(1).position(|window| window == BEGIN).map(|at| at + 1)
}

fn decompressed(body: &[u8]) -> Result<Vec<u8>, String> {
    let mut plain = vec![];
    let stream = inflated(body).map_err(|e| e.to_string())?;
    stream.take(LONGEST + 1).read_to_end(&mut plain).map_err(|e| format!("a request that is no zstd: {e}"))?;
    if plain.len() as u64 > LONGEST { Err("a request that is too long".into()) } else { Ok(plain) }
}

fn broken(at: u64, why: impl ToString) -> Broken {
    Broken { at, why: why.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// All frames with their places, JSON told by `j`, and how it ends.
    fn read(bytes: &[u8]) -> (Vec<(u64, char, Vec<u8>)>, Option<Broken>) {
        let (mut frames, mut all) = (Frames::new(bytes), vec![]);
        loop {
            match frames.next() {
                Ok(Some(Frame { at, body: Body::Json(body) })) => all.push((at, 'j', body.into_owned())),
                Ok(Some(Frame { at, body: Body::Protobuf(body) })) => all.push((at, 'p', body.into_owned())),
                Ok(None) => return (all, None),
                Err(broken) => return (all, Some(broken)),
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
    fn lines_and_messages_are_told_apart() {
        let (lines, end) = read(b"{\"a\":1}\n{}");
        assert_eq!((lines, end), (vec![(0, 'j', b"{\"a\":1}".to_vec()), (8, 'j', b"{}".to_vec())], None));
        let file = [framed(b"\x0a\x01x"), framed(b""), framed(b"{}"), framed(&zstd(b"{\"b\":2}"))].concat();
        let (messages, end) = read(&file);
        let bodies: Vec<_> = messages.iter().map(|(at, kind, body)| (*at, *kind, &body[..])).collect();
        assert_eq!(bodies, [(0, 'p', &b"\x0a\x01x"[..]), (7, 'p', b""), (11, 'j', b"{}"), (17, 'j', b"{\"b\":2}")]);
        assert_eq!(end, None);
        assert_eq!(read(b"").0.len(), 0);
    }

    #[test]
    fn damage_has_its_place() {
        let file = [framed(b"abc"), framed(b"defgh")].concat();
        for (bytes, at, why) in [
            (&file[..14], 7, "3 of 5 bytes"),
            (&file[..9], 7, "inside the length"),
            (&[&file[..], b"\xff\xff\xff\xff"].concat(), 16, "no request is as long"),
            (&framed(&zstd(b"x")[..6]), 0, ""),
        ] {
            let broken = read(bytes).1.unwrap();
            assert!(broken.at == at && broken.why.contains(why), "{broken:?}");
        }
        assert_eq!(begins_again(b"{\"resourceSpans\":[{}{\"resourceSpans\":[]}"), Some(20));
        assert_eq!(begins_again(b"{\"resourceSpans\":["), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_taken(bytes: Vec<u8>) {
            read(&bytes);
            if let Ok(mut stream) = inflated(&bytes[..]) {
                let _ = stream.read_to_end(&mut vec![]);
            }
        }
    }
}
