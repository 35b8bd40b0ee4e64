//! A scanner that finds the end of a JSON value, in a text that may still grow, and notes on its way where the outermost
//! arrays and objects in it begin and end.

use super::damage::Damage;

/// The key that marks an OTLP request in JSON.
pub const REQUEST: &[u8] = b"resourceSpans";

/// The number of arrays and objects inside each other from a request to its spans, with both.
const LEVELS: usize = 7;
/// The maximum number of arrays and objects in an outline, so that a text of nothing but brackets does not take many times its
/// length in memory.
const MOST_OUTLINED: usize = 65_536;

/// An array or object in a text.
#[derive(Clone, Copy, Debug)]
pub struct Part {
    /// The offset of its opening bracket in the text, in bytes.
    pub start: usize,
    /// The offset behind its closing bracket.
    pub end: usize,
    /// The number of objects in it, itself included.
    pub objects: usize,
    /// The number of outlined arrays and objects in it. They follow it in the outline.
    pub inside: usize,
}

/// A scanner that looks for the end of a JSON value in a text that may still grow.
#[derive(Default)]
pub struct Scanner {
    /// The offset at which the scan continues.
    at: usize,
    /// The number of arrays and objects that are open.
    depth: usize,
    within: Within,
    /// The number of objects in the value, itself included.
    pub objects: usize,
    /// The last byte that is neither blank nor part of a string, and its offset.
    mark: (u8, usize),
    /// The offset from which on no request may begin inside the value; `None` where requests are allowed.
    no_request_from: Option<usize>,
    /// The number of levels that are outlined.
    levels: usize,
    outline: Vec<Part>,
    /// The positions in the outline of the parts that are open, outermost first. Those that had no room in it count as its
    /// length.
    open: Vec<usize>,
}

/// Where in the value the scanner is.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Within {
    /// Before or between values.
    #[default]
    Nothing,
    /// Inside a number, `true`, `false` or `null`.
    Word,
    /// Inside a string whose contents begin at this offset.
    Text(usize),
    /// Directly behind a backslash, inside a string whose contents begin at this offset.
    Escape(usize),
}

/// A JSON syntax error at a byte offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SyntaxError {
    pub at: usize,
    pub why: &'static str,
}

impl SyntaxError {
    fn new(at: usize, why: &'static str) -> SyntaxError {
        SyntaxError { at, why }
    }
}

impl From<SyntaxError> for Damage {
    fn from(SyntaxError { at, why }: SyntaxError) -> Damage {
        Damage::new(at as u64, why)
    }
}

impl Scanner {
    /// Makes a scanner for a value that may not contain a request. A request inside shows that the writer did not finish
    /// the value.
    pub fn without_request() -> Scanner {
        Scanner { no_request_from: Some(0), levels: LEVELS, ..Scanner::default() }
    }

    /// Makes a scanner for a request, which may not contain another request.
    pub fn request() -> Scanner {
        Scanner { no_request_from: Some(1), levels: LEVELS, ..Scanner::default() }
    }

    /// Returns the offset at which the value at the beginning of `text` ends, or `None` where the end is not in `text`. A
    /// later call continues where the last one stopped; its `text` must begin with the same bytes.
    ///
    /// # Errors
    /// The text is not JSON, or contains a request where none may be.
    pub fn end(&mut self, text: &[u8]) -> Result<Option<usize>, SyntaxError> {
        while let Some(byte) = text.get(self.at).copied() {
            let at = self.at;
            self.at += 1;
            match self.within {
                Within::Text(from) => match byte {
                    b'"' => {
                        let inside = self.no_request_from.is_some_and(|from| from <= self.mark.1);
                        if inside && self.mark.0 == b'{' && text[from..at] == *REQUEST {
                            return Err(SyntaxError::new(self.mark.1, "another request begins inside a value"));
                        }
                        self.within = Within::Nothing;
                        if self.depth == 0 {
                            return Ok(Some(self.at));
                        }
                        self.mark = (byte, at);
                    }
                    b'\\' => self.within = Within::Escape(from),
                    0..b' ' => return Err(SyntaxError::new(at, "a control character inside a text")),
                    _ => self.at += plain(&text[self.at..]),
                },
                Within::Escape(from) => self.within = Within::Text(from),
                Within::Word if !is_word(byte) => return Ok(Some(at)),
                Within::Word => {}
                Within::Nothing => match byte {
                    b'"' => self.within = Within::Text(self.at),
                    b'{' | b'[' => {
                        self.open(at);
                        self.objects += usize::from(byte == b'{');
                        self.mark = (byte, at);
                    }
                    b'}' | b']' => {
                        self.depth.checked_sub(1).ok_or(SyntaxError::new(at, "nothing to close"))?;
                        self.close();
                        if self.depth == 0 {
                            return Ok(Some(self.at));
                        }
                        self.mark = (byte, at);
                    }
                    b',' | b':' if self.depth > 0 => self.mark = (byte, at),
                    _ if is_blank(byte) => {}
                    _ if is_word(byte) && self.depth > 0 => self.mark = (byte, at),
                    _ if is_word(byte) => self.within = Within::Word,
                    _ => return Err(SyntaxError::new(at, "no JSON")),
                },
            }
        }
        Ok(None)
    }

    fn open(&mut self, at: usize) {
        self.depth += 1;
        if self.depth <= self.levels {
            self.open.push(self.outline.len());
            if self.outline.len() < MOST_OUTLINED {
                self.outline.push(Part { start: at, end: at, objects: self.objects, inside: 0 });
            }
        }
    }

    fn close(&mut self) {
        if self.depth <= self.levels {
            let (count, end) = (self.outline.len(), self.at);
            if let Some(at) = self.open.pop()
                && let Some(part) = self.outline.get_mut(at)
            {
                part.objects = self.objects - part.objects;
                (part.end, part.inside) = (end, count - at - 1);
            }
        }
        self.depth -= 1;
    }

    /// Returns the outermost arrays and objects of the value whose end has been found, in the order of their beginnings: all
    /// of a short value, or those that begin first. The value itself is the first.
    pub fn into_outline(self) -> Vec<Part> {
        self.outline
    }

    /// Reports whether the value ends where the text ends: a number or a word has no closing byte.
    pub fn ends_with_text(&self) -> bool {
        self.within == Within::Word
    }
}

/// Returns the number of bytes at the beginning of a text that go on with a string: neither a quote, nor a backslash, nor a
/// control character. Eight bytes are examined at a time.
#[inline]
fn plain(text: &[u8]) -> usize {
    const ONES: u64 = u64::MAX / 255;
    const HIGH: u64 = 0x80 * ONES;
    let mut at = 0;
    while let Some(bytes) = text.get(at..).and_then(|rest| rest.first_chunk()) {
        let word = u64::from_le_bytes(*bytes);
        // The highest bit of a byte is set where it is smaller than `limit`, and of the lowest such byte nothing false lies
        // below: a borrow only goes upwards.
        let below = |word: u64, limit: u64| word.wrapping_sub(limit * ONES) & !word;
        let is = |byte: u8| below(word ^ (u64::from(byte) * ONES), 1);
        let found = (below(word, 0x20) | is(b'"') | is(b'\\')) & HIGH;
        if found != 0 {
            return at + found.trailing_zeros() as usize / 8;
        }
        at += bytes.len();
    }
    at + text[at..].iter().take_while(|byte| !matches!(byte, b'"' | b'\\' | 0..b' ')).count()
}

/// Reports whether a byte is JSON white space.
pub fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

/// Reports whether a byte can be part of a number, `true`, `false` or `null`.
fn is_word(byte: u8) -> bool {
    matches!(
        byte,
        b'0'..=b'9' | b'+' | b'-' | b'.' | b'E' | b'a' | b'e' | b'f' | b'l' | b'n' | b'r' | b's' | b't' | b'u'
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Returns the parts of a value as text, each with its number of objects.
    fn outlined(text: &str) -> Vec<(&str, usize)> {
        let mut scanner = Scanner::request();
        assert_eq!(scanner.end(text.as_bytes()), Ok(Some(text.len())));
        let outline = scanner.into_outline();
        Vec::from_iter(outline.iter().map(|part| (&text[part.start..part.end], part.objects)))
    }

    #[test]
    fn an_outline_has_the_outermost_arrays_and_objects() {
        let parts =
            [(r#"{"a":[{"b":1},[]],"c":{}}"#, 3), (r#"[{"b":1},[]]"#, 1), (r#"{"b":1}"#, 1), ("[]", 0), ("{}", 1)];
        assert_eq!(outlined(parts[0].0), parts);
        let levels = outlined("[[[[[[[[[{}]]]]]]]]]");
        assert_eq!((levels.len(), levels[LEVELS - 1]), (LEVELS, ("[[[{}]]]", 1)));
        let many = format!("[{}{{}}]", "[],".repeat(MOST_OUTLINED));
        let many = outlined(&many);
        assert_eq!((many.len(), many[0].1, many[MOST_OUTLINED - 1]), (MOST_OUTLINED, 1, ("[]", 0)));
    }

    proptest! {
        #[test]
        fn the_bytes_of_a_string_are_skipped_as_one_by_one(text in prop::collection::vec(prop_oneof![
            4 => any::<u8>(), 1 => prop::sample::select(vec![b'"', b'\\', 0x1f, 0x20, 0x7f, 0x80, 0xa2, 0xdc, 0xff, 0]),
            20 => 0x20u8..0x7f,
        ], 0..40)) {
            let one_by_one = text.iter().take_while(|byte| !matches!(byte, b'"' | b'\\' | 0..=0x1f)).count();
            prop_assert_eq!(plain(&text), one_by_one);
        }
    }
}
