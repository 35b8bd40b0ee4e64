//! A JSON reader that works in place: it yields the fields or items of a value without decoding them, and accepts any
//! bytes.

use super::damage::Damage;
use super::scan::{Part, Scanner, is_blank};
use std::borrow::Cow;

/// A JSON value, as a slice of the text that contains it.
#[derive(Clone, Copy, Debug)]
pub struct Value<'t> {
    pub text: &'t [u8],
    /// The number of objects in the value, itself included.
    pub objects: usize,
    outlined: Outlined<'t>,
}

/// What an outline says about a text, which need not be scanned for it again.
#[derive(Clone, Copy, Debug, Default)]
struct Outlined<'t> {
    /// The offset of the text in the one that was outlined, in bytes.
    base: usize,
    /// The known arrays and objects in the text, in order.
    parts: &'t [Part],
}

impl<'t> Value<'t> {
    /// Returns the array or object that an outline begins with. `text` begins where it begins.
    pub fn outlined(text: &'t [u8], outline: &'t [Part]) -> Option<Value<'t>> {
        let mut cursor =
            Cursor { whole: text, at: 0, outlined: Outlined { base: outline.first()?.start, parts: outline } };
        cursor.part()
    }

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
    /// The arrays and objects that are known from here on.
    outlined: Outlined<'t>,
}

impl<'t> Cursor<'t> {
    fn new(text: &'t [u8]) -> Cursor<'t> {
        Cursor { whole: text, at: 0, outlined: Outlined::default() }
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
        if let Some(part) = self.part() {
            return Ok(part);
        }
        let (cursor, mut scanner) = (&self.whole[self.at..], Scanner::default());
        let outlined = Outlined::default();
        match scanner.end(cursor) {
            Ok(Some(end)) => {
                self.at += end;
                Ok(Value { text: &cursor[..end], objects: scanner.objects, outlined })
            }
            Ok(None) if scanner.ends_with_text() => {
                self.at = self.whole.len();
                Ok(Value { text: cursor, objects: 0, outlined })
            }
            Ok(None) => Err(self.damage("the value is cut off")),
            Err(error) => Err(Damage::from(error).moved(self.at as u64)),
        }
    }

    /// Consumes the array or object that begins here, if the outline knows its end.
    fn part(&mut self) -> Option<Value<'t>> {
        let (part, behind) = self.outlined.parts.split_first()?;
        let text = self.whole.get(self.at..).filter(|_| part.start == self.outlined.base + self.at)?;
        let (text, (inside, behind)) = (text.get(..part.end - part.start)?, behind.split_at_checked(part.inside)?);
        self.at += text.len();
        self.outlined.parts = behind;
        Some(Value { text, objects: part.objects, outlined: Outlined { base: part.start, parts: inside } })
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
    fn new(value: Value<'t>, brackets: (u8, u8)) -> Parts<'t> {
        let state = if value.is_null() { State::Ended } else { State::Before };
        Parts { cursor: Cursor { whole: value.text, at: 0, outlined: value.outlined }, state, brackets }
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
    pub fn new(object: Value<'t>) -> Fields<'t> {
        Fields(Parts::new(object, (b'{', b'}')))
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
    pub fn new(array: Value<'t>) -> Items<'t> {
        Items(Parts::new(array, (b'[', b']')))
    }

    /// Returns the items of an array that is not there.
    pub fn none() -> Items<'t> {
        Items(Parts { cursor: Cursor::new(b""), state: State::Ended, brackets: (b'[', b']') })
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
/// The value is not a valid object.
pub fn pick<'t, const N: usize>(object: Value<'t>, names: [&str; N]) -> Result<[Option<Value<'t>>; N], Damage> {
    let mut picked = [None; N];
    for field in Fields::new(object) {
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
