//! A JSON reader that works in place: it yields the fields or items of a value without decoding them, and accepts any
//! bytes.

use super::damage::Damage;
use std::borrow::Cow;

/// The key that marks an OTLP request in JSON.
pub const REQUEST: &[u8] = b"resourceSpans";

/// A scanner that looks for the end of a JSON value in a text that may still grow.
#[derive(Default)]
pub struct EndScanner {
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

impl EndScanner {
    /// Makes a scanner for a value that may not contain a request. A request inside shows that the writer did not finish
    /// the value.
    pub fn without_request() -> EndScanner {
        EndScanner { no_request_from: Some(0), ..EndScanner::default() }
    }

    /// Makes a scanner for a request, which may not contain another request.
    pub fn request() -> EndScanner {
        EndScanner { no_request_from: Some(1), ..EndScanner::default() }
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
                    _ => {}
                },
                Within::Escape(from) => self.within = Within::Text(from),
                Within::Word if !is_word(byte) => return Ok(Some(at)),
                Within::Word => {}
                Within::Nothing => match byte {
                    b'"' => self.within = Within::Text(self.at),
                    b'{' | b'[' => {
                        self.depth += 1;
                        self.objects += usize::from(byte == b'{');
                        self.mark = (byte, at);
                    }
                    b'}' | b']' => {
                        self.depth = self.depth.checked_sub(1).ok_or(SyntaxError::new(at, "nothing to close"))?;
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

    /// Reports whether the value ends where the text ends: a number or a word has no closing byte.
    pub fn ends_with_text(&self) -> bool {
        self.within == Within::Word
    }
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

/// A JSON value, as a slice of the text that contains it.
#[derive(Clone, Copy, Debug)]
pub struct Value<'t> {
    pub text: &'t [u8],
    /// The number of objects in the value, itself included.
    pub objects: usize,
}

impl<'t> Value<'t> {
    fn is_null(self) -> bool {
        self.text == b"null"
    }

    /// Returns the offset of the value in `whole`, which must be the text that it is a slice of.
    pub fn place(self, whole: &[u8]) -> u64 {
        (self.text.as_ptr() as usize - whole.as_ptr() as usize) as u64
    }
}

/// A text and the position up to which it has been read.
struct Cursor<'t> {
    whole: &'t [u8],
    at: usize,
}

impl<'t> Cursor<'t> {
    fn new(whole: &'t [u8]) -> Cursor<'t> {
        Cursor { whole, at: 0 }
    }

    /// Returns the next byte that is not blank, without consuming it.
    fn peek(&mut self) -> Option<u8> {
        let cursor = &self.whole[self.at..];
        self.at += cursor.iter().take_while(|byte| is_blank(**byte)).count();
        self.whole.get(self.at).copied()
    }

    fn take(&mut self, byte: u8) -> bool {
        let is_there = self.peek() == Some(byte);
        self.at += usize::from(is_there);
        is_there
    }

    fn value(&mut self) -> Result<Value<'t>, Damage> {
        self.peek();
        let (cursor, mut scanner) = (&self.whole[self.at..], EndScanner::default());
        match scanner.end(cursor) {
            Ok(Some(end)) => {
                self.at += end;
                Ok(Value { text: &cursor[..end], objects: scanner.objects })
            }
            Ok(None) if scanner.ends_with_text() => {
                self.at = self.whole.len();
                Ok(Value { text: cursor, objects: 0 })
            }
            Ok(None) => Err(self.damage("the value is cut off")),
            Err(error) => Err(Damage::from(error).moved(self.at as u64)),
        }
    }

    fn damage(&self, why: &str) -> Damage {
        Damage::new(self.at as u64, why)
    }
}

/// An iterator over the parts of an object or an array; `null` has none. It ends after the first error.
struct Parts<'t> {
    cursor: Cursor<'t>,
    state: State,
    brackets: (u8, u8),
}

#[derive(PartialEq, Eq)]
enum State {
    Before,
    First,
    Next,
    Ended,
}

impl<'t> Parts<'t> {
    fn new(text: &'t [u8], brackets: (u8, u8)) -> Parts<'t> {
        let state = if text == b"null" { State::Ended } else { State::Before };
        Parts { cursor: Cursor::new(text), state, brackets }
    }

    /// Moves to the next part, and returns whether there is one.
    fn step(&mut self) -> Result<bool, Damage> {
        let (open, close) = self.brackets;
        if self.state == State::Before {
            if !self.cursor.take(open) {
                return Err(self.cursor.damage(if open == b'{' { "not an object" } else { "not an array" }));
            }
            self.state = State::First;
        }
        if self.state != State::Ended && self.cursor.take(close) {
            self.state = State::Ended;
        }
        match self.state {
            State::Ended => return Ok(false),
            State::Next if !self.cursor.take(b',') => return Err(self.cursor.damage("a comma is missing")),
            _ => self.state = State::Next,
        }
        Ok(true)
    }
}

/// An iterator over the fields of an object.
pub struct Fields<'t>(Parts<'t>);

impl<'t> Fields<'t> {
    pub fn new(text: &'t [u8]) -> Fields<'t> {
        Fields(Parts::new(text, (b'{', b'}')))
    }

    fn read(&mut self) -> Result<Option<(Cow<'t, str>, Value<'t>)>, Damage> {
        if !self.0.step()? {
            return Ok(None);
        }
        let cursor = &mut self.0.cursor;
        let key = cursor.value()?;
        let at = key.place(cursor.whole);
        let key = key_of(key.text).map_err(|why| Damage::new(at, why))?;
        if !cursor.take(b':') {
            return Err(cursor.damage("a colon is missing"));
        }
        Ok(Some((key, cursor.value()?)))
    }
}

impl<'t> Iterator for Fields<'t> {
    type Item = Result<(Cow<'t, str>, Value<'t>), Damage>;

    fn next(&mut self) -> Option<Self::Item> {
        let field = self.read();
        if field.is_err() {
            self.0.state = State::Ended;
        }
        field.transpose()
    }
}

/// Returns the string that a quoted key encodes.
///
/// # Errors
/// The text is not a JSON string.
pub fn key_of(text: &[u8]) -> serde_json::Result<Cow<'_, str>> {
    match text {
        [b'"', plain @ .., b'"']
            if !plain.contains(&b'\\')
                && let Ok(plain) = str::from_utf8(plain) =>
        {
            Ok(Cow::Borrowed(plain))
        }
        _ => serde_json::from_slice(text).map(Cow::Owned),
    }
}

/// An iterator over the items of an array.
pub struct Items<'t>(Parts<'t>);

impl<'t> Items<'t> {
    pub fn new(text: &'t [u8]) -> Items<'t> {
        Items(Parts::new(text, (b'[', b']')))
    }
}

impl<'t> Iterator for Items<'t> {
    type Item = Result<Value<'t>, Damage>;

    fn next(&mut self) -> Option<Self::Item> {
        let item = match self.0.step() {
            Ok(false) => return None,
            Ok(true) => self.0.cursor.value(),
            Err(damage) => Err(damage),
        };
        if item.is_err() {
            self.0.state = State::Ended;
        }
        Some(item)
    }
}

/// Returns the values of the fields with the given `names`. Of several fields with the same name the last one counts; a
/// `null` counts as absent.
///
/// # Errors
/// The text is not a valid object.
pub fn pick<'t, const N: usize>(text: &'t [u8], names: [&str; N]) -> Result<[Option<Value<'t>>; N], Damage> {
    let mut picked = [None; N];
    for field in Fields::new(text) {
        let (key, value) = field?;
        if let Some(at) = names.iter().position(|name| *name == key) {
            picked[at] = Some(value).filter(|value| !value.is_null());
        }
    }
    Ok(picked)
}

/// Returns the value in `text`, which must contain nothing else but blanks.
///
/// # Errors
/// There is no complete value, or something follows it.
pub fn only(text: &[u8]) -> Result<Value<'_>, Damage> {
    let mut rest = Cursor::new(text);
    let value = rest.value()?;
    if rest.peek().is_some() { Err(rest.damage("something follows the value")) } else { Ok(value) }
}
