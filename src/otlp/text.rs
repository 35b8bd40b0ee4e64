//! JSON read where it stands: a value as its fields or items, nothing decoded that is not asked for, any bytes taken.

use super::damage::Damage;
use std::borrow::Cow;

/// The key that a request begins with.
pub const REQUEST: &[u8] = b"resourceSpans";

/// Looks for the end of a value, in a text of which there may be more to come.
#[derive(Default)]
pub struct Cut {
    /// Where it goes on.
    at: usize,
    depth: usize,
    within: Within,
    /// Objects in the value, itself included.
    pub objects: usize,
    /// The last byte that is neither blank nor part of a text, and where it is.
    mark: (u8, usize),
    /// From where on no request begins in it.
    no_request_from: Option<usize>,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Within {
    /// Before or between values.
    #[default]
    Nothing,
    /// A number or a word that stands alone.
    Word,
    /// A text that begins behind this byte.
    Text(usize),
    /// The same, behind a backslash.
    Escape(usize),
}

/// No value goes on like this.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stray {
    pub at: usize,
    pub why: &'static str,
}

impl Stray {
    fn new(at: usize, why: &'static str) -> Stray {
        Stray { at, why }
    }
}

impl From<Stray> for Damage {
    fn from(Stray { at, why }: Stray) -> Damage {
        Damage::new(at as u64, why)
    }
}

impl Cut {
    /// Of a value in which no request can be. Where one begins all the same, the value was not written to its end.
    pub fn without_request() -> Cut {
        Cut { no_request_from: Some(0), ..Cut::default() }
    }

    /// The same of a request, in which no other can be.
    pub fn request() -> Cut {
        Cut { no_request_from: Some(1), ..Cut::default() }
    }

    /// Where the value that begins with `text` ends; `None`: not in it. Asked again, it goes on where it was, in the same text with
    /// more behind it.
    ///
    /// # Errors
    /// It goes on like no JSON, or holds a request and can't.
    pub fn end(&mut self, text: &[u8]) -> Result<Option<usize>, Stray> {
        while let Some(byte) = text.get(self.at).copied() {
            let at = self.at;
            self.at += 1;
            match self.within {
                Within::Text(from) => match byte {
                    b'"' => {
                        let inside = self.no_request_from.is_some_and(|from| from <= self.mark.1);
                        if inside && self.mark.0 == b'{' && text[from..at] == *REQUEST {
                            return Err(Stray::new(self.mark.1, "another request begins inside a value"));
                        }
                        self.within = Within::Nothing;
                        if self.depth == 0 {
                            return Ok(Some(self.at));
                        }
                        self.mark = (byte, at);
                    }
                    b'\\' => self.within = Within::Escape(from),
                    0..b' ' => return Err(Stray::new(at, "a control character inside a text")),
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
                        self.depth = self.depth.checked_sub(1).ok_or(Stray::new(at, "nothing to close"))?;
                        if self.depth == 0 {
                            return Ok(Some(self.at));
                        }
                        self.mark = (byte, at);
                    }
                    b',' | b':' if self.depth > 0 => self.mark = (byte, at),
                    _ if is_blank(byte) => {}
                    _ if is_word(byte) && self.depth > 0 => self.mark = (byte, at),
                    _ if is_word(byte) => self.within = Within::Word,
                    _ => return Err(Stray::new(at, "no JSON")),
                },
            }
        }
        Ok(None)
    }

    /// Whether a text that ends here ends with the value.
    pub fn ends_with_text(&self) -> bool {
        self.within == Within::Word
    }
}

pub fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

/// Of numbers, `true`, `false` and `null`.
fn is_word(byte: u8) -> bool {
    matches!(
        byte,
        b'0'..=b'9' | b'+' | b'-' | b'.' | b'E' | b'a' | b'e' | b'f' | b'l' | b'n' | b'r' | b's' | b't' | b'u'
    )
}

/// A value where it stands.
#[derive(Clone, Copy, Debug)]
pub struct Value<'t> {
    pub text: &'t [u8],
    /// Objects in it, itself included.
    pub objects: usize,
}

impl<'t> Value<'t> {
    fn is_null(self) -> bool {
        self.text == b"null"
    }

    /// How far into `whole`, which it is a part of, it begins.
    pub fn place(self, whole: &[u8]) -> u64 {
        (self.text.as_ptr() as usize - whole.as_ptr() as usize) as u64
    }
}

/// A text of which the beginning has been read.
struct Rest<'t> {
    whole: &'t [u8],
    at: usize,
}

impl<'t> Rest<'t> {
    fn new(whole: &'t [u8]) -> Rest<'t> {
        Rest { whole, at: 0 }
    }

    /// The next byte that is not blank.
    fn peek(&mut self) -> Option<u8> {
        let rest = &self.whole[self.at..];
        self.at += rest.iter().take_while(|byte| is_blank(**byte)).count();
        self.whole.get(self.at).copied()
    }

    fn take(&mut self, byte: u8) -> bool {
        let is_there = self.peek() == Some(byte);
        self.at += usize::from(is_there);
        is_there
    }

    fn value(&mut self) -> Result<Value<'t>, Damage> {
        self.peek();
        let (rest, mut cut) = (&self.whole[self.at..], Cut::default());
        match cut.end(rest) {
            Ok(Some(end)) => {
                self.at += end;
                Ok(Value { text: &rest[..end], objects: cut.objects })
            }
            Ok(None) if cut.ends_with_text() => {
                self.at = self.whole.len();
                Ok(Value { text: rest, objects: 0 })
            }
            Ok(None) => Err(self.damage("the value is cut off")),
            Err(stray) => Err(Damage::from(stray).moved(self.at as u64)),
        }
    }

    fn damage(&self, why: &str) -> Damage {
        Damage::new(self.at as u64, why)
    }
}

/// The parts of an object or an array, one by one; `null` has none. Ends after the first error.
struct Parts<'t> {
    rest: Rest<'t>,
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
        Parts { rest: Rest::new(text), state, brackets }
    }

    /// Whether there is another; then it comes next in the rest.
    fn step(&mut self) -> Result<bool, Damage> {
        let (open, close) = self.brackets;
        if self.state == State::Before {
            if !self.rest.take(open) {
                return Err(self.rest.damage(if open == b'{' { "no object" } else { "no array" }));
            }
            self.state = State::First;
        }
        if self.state != State::Ended && self.rest.take(close) {
            self.state = State::Ended;
        }
        match self.state {
            State::Ended => return Ok(false),
            State::Next if !self.rest.take(b',') => return Err(self.rest.damage("a comma is missing")),
            _ => self.state = State::Next,
        }
        Ok(true)
    }
}

/// The fields of an object.
pub struct Fields<'t>(Parts<'t>);

impl<'t> Fields<'t> {
    pub fn new(text: &'t [u8]) -> Fields<'t> {
        Fields(Parts::new(text, (b'{', b'}')))
    }

    fn read(&mut self) -> Result<Option<(Cow<'t, str>, Value<'t>)>, Damage> {
        if !self.0.step()? {
            return Ok(None);
        }
        let rest = &mut self.0.rest;
        let key = rest.value()?;
        let at = key.place(rest.whole);
        let key = key_of(key.text).map_err(|why| Damage::new(at, why))?;
        if !rest.take(b':') {
            return Err(rest.damage("a colon is missing"));
        }
        Ok(Some((key, rest.value()?)))
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

/// What a key in quotes stands for.
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

/// The items of an array.
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
            Ok(true) => self.0.rest.value(),
            Err(damage) => Err(damage),
        };
        if item.is_err() {
            self.0.state = State::Ended;
        }
        Some(item)
    }
}

/// The fields of an object whose names are `names`, each the last of its name that is not `null`.
///
/// # Errors
/// It is no object, or damaged.
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

/// Whether nothing but blanks follows the value that `text` begins with.
///
/// # Errors
/// Something follows, or there is no whole value.
pub fn only(text: &[u8]) -> Result<Value<'_>, Damage> {
    let mut rest = Rest::new(text);
    let value = rest.value()?;
    if rest.peek().is_some() { Err(rest.damage("something follows the value")) } else { Ok(value) }
}
