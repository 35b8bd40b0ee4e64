//! JSON of any length as the `ResourceSpans` in it: requests one after another, on lines of their own or not, spread over many,
//! or in arrays, and what Tempo answers. No more than one `ResourceSpans` is held, of at most [`LONGEST`] bytes.

use super::damage::Damage;
use super::text::{Cut, REQUEST, is_blank, key_of};
use memchr::memmem;
use std::io::{self, Read};

/// The longest `ResourceSpans` that is read, and any other value, bytes.
pub const LONGEST: usize = 64 << 20;
/// Bytes that are read at a time.
const CHUNK: usize = 256 << 10;
/// Deepest nesting of arrays around requests.
const DEEPEST: usize = 16;
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// The `ResourceSpans` of a stream.
pub struct Groups<R> {
    window: Window<R>,
    /// The arrays and objects that have begun around the next value, outermost first.
    around: Vec<Around>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Around {
    /// An array of requests.
    Requests,
    /// A request, or what has one in it.
    Request,
    /// An array of `ResourceSpans`.
    Groups,
}

/// What comes next in a stream.
#[derive(Debug)]
pub enum Found<'s> {
    /// A `ResourceSpans`, and where it begins, bytes from the stream's beginning.
    Group(u64, &'s [u8]),
    /// What is read on with is the next request behind it.
    Damaged(Damage),
}

/// What a step through a stream led to.
enum Step {
    On,
    /// So many bytes at the window's front are a `ResourceSpans`.
    Group(usize),
    Ended,
}

impl<R: Read> Groups<R> {
    pub fn new(stream: R) -> Groups<R> {
        Groups { window: Window::new(stream, LONGEST), around: vec![] }
    }

    /// `None`: the stream has ended.
    ///
    /// # Errors
    /// It can't be read on.
    pub fn read(&mut self) -> io::Result<Option<Found<'_>>> {
        loop {
            match self.step()? {
                Ok(Step::On) => {}
                Ok(Step::Ended) => return Ok(None),
                Ok(Step::Group(length)) => {
                    let at = self.window.place();
                    return Ok(Some(Found::Group(at, self.window.take(length))));
                }
                Err(damage) => {
                    self.around.clear();
                    self.window.find_request()?;
                    return Ok(Some(Found::Damaged(damage)));
                }
            }
        }
    }

    /// How far it has been read, bytes.
    pub fn place(&self) -> u64 {
        self.window.place()
    }

    fn step(&mut self) -> io::Result<Result<Step, Damage>> {
        self.window.anchor = self.window.front;
        let Some(byte) = self.window.next_byte(self.around.is_empty())? else {
            return Ok(match self.around.is_empty() {
                true => Ok(Step::Ended),
                false => Err(self.window.damage("it ends inside a request")),
            });
        };
        let around = self.around.last().copied();
        let inside = match (around, byte) {
            (Some(Around::Requests | Around::Groups), b']') | (Some(Around::Request), b'}') => {
                self.window.take(1);
                self.around.pop();
                return Ok(Ok(Step::On));
            }
            (Some(Around::Request), b'"') => return self.field(),
            (Some(Around::Groups), b'{') => return Ok(self.window.value()?.map(Step::Group)),
            (None | Some(Around::Requests), b'{') => {
                if let Err(damage) = self.window.check_request()? {
                    // Not to be found again.
                    self.window.take(1);
                    self.window.anchor = self.window.front;
                    return Ok(Err(damage));
                }
                Around::Request
            }
            (None | Some(Around::Requests), b'[') if self.around.len() < DEEPEST => Around::Requests,
            _ => return Ok(Err(self.window.damage("no JSON of a request"))),
        };
        self.window.take(1);
        self.around.push(inside);
        Ok(Ok(Step::On))
    }

    /// A field of a request, which its key begins.
    fn field(&mut self) -> io::Result<Result<Step, Damage>> {
        let key = match self.window.value()? {
            Ok(length) => key_of(self.window.take(length)).map(|key| Key::of(&key)),
            Err(damage) => return Ok(Err(damage)),
        };
        let Ok(key) = key else { return Ok(Err(self.window.damage("a key that is no text"))) };
        if self.window.next_byte(false)? != Some(b':') {
            return Ok(Err(self.window.damage("a colon is missing")));
        }
        self.window.take(1);
        let inside = match (key, self.window.next_byte(false)?) {
            (Key::Groups, Some(b'[')) => Around::Groups,
            (Key::Request, Some(b'{')) => Around::Request,
            _ => {
                return Ok(self.window.value()?.map(|length| {
                    self.window.take(length);
                    Step::On
                }));
            }
        };
        self.window.take(1);
        self.around.push(inside);
        Ok(Ok(Step::On))
    }
}

/// What stands under a key of a request.
enum Key {
    /// `ResourceSpans`: in OTLP under the one name, in what Tempo answers under the other.
    Groups,
    /// A request, as Tempo wraps it.
    Request,
    Other,
}

impl Key {
    fn of(key: &str) -> Key {
        match key {
            "resourceSpans" | "batches" => Key::Groups,
            "trace" => Key::Request,
            _ => Key::Other,
        }
    }
}

/// The part of a stream that is looked at.
struct Window<R> {
    stream: R,
    /// Up to `end` they have been read.
    bytes: Vec<u8>,
    end: usize,
    /// Where in them the front is.
    front: usize,
    /// Where it was when the step began, blanks aside: from there on is looked for a request that begins inside of damage.
    anchor: usize,
    /// How many bytes of the stream came before them.
    before: u64,
    /// Most bytes of a value.
    longest: usize,
}

impl<R: Read> Window<R> {
    fn new(stream: R, longest: usize) -> Window<R> {
        Window { stream, bytes: vec![], end: 0, front: 0, anchor: 0, before: 0, longest }
    }

    fn rest(&self) -> &[u8] {
        &self.bytes[self.front..self.end]
    }

    /// Where the front is, bytes from the stream's beginning.
    fn place(&self) -> u64 {
        self.before + self.front as u64
    }

    fn damage(&self, why: &str) -> Damage {
        Damage::new(self.place(), why)
    }

    fn take(&mut self, length: usize) -> &[u8] {
        self.front += length;
        &self.bytes[self.front - length..self.front]
    }

    /// Read on; whether there was more.
    fn more(&mut self) -> io::Result<bool> {
        if self.anchor >= self.end / 2 {
            self.bytes.copy_within(self.anchor..self.end, 0);
            self.before += self.anchor as u64;
            (self.front, self.end) = (self.front - self.anchor, self.end - self.anchor);
            self.anchor = 0;
        }
        if self.end == self.bytes.len() {
            self.bytes.resize(self.end + CHUNK, 0);
        }
        loop {
            match self.stream.read(&mut self.bytes[self.end..]) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
                Ok(read) => {
                    self.end += read;
                    return Ok(read > 0);
                }
            }
        }
    }

    /// The next byte that means something. Between requests there may be what some writers leave: zeros in a file that was cut
    /// while it was written to, marks of an encoding or of a record.
    fn next_byte(&mut self, between: bool) -> io::Result<Option<u8>> {
        let begins = self.front == self.anchor;
        loop {
            while let [byte, rest @ ..] = self.rest() {
                let marks = if between { BYTE_ORDER_MARK } else { &[] };
                let blank = match byte {
                    b',' => 1,
                    0 | 0x1e if between => 1,
                    0xef if between && rest.starts_with(&marks[1..]) => 3,
                    // The rest of the mark may come.
                    0xef if between && rest.len() < 2 => break,
                    byte if is_blank(*byte) => 1,
                    byte => {
                        let byte = *byte;
                        self.anchor = if begins { self.front } else { self.anchor };
                        return Ok(Some(byte));
                    }
                };
                self.front += blank;
            }
            if begins {
                self.anchor = self.front;
            }
            if self.front - self.anchor > self.longest || !self.more()? {
                return Ok(self.rest().first().copied());
            }
        }
    }

    /// How long the value is that begins at the front.
    fn value(&mut self) -> io::Result<Result<usize, Damage>> {
        let value = self.cut(Cut::without_request())?;
        let too_long = || Err(self.damage(&format!("a value of more than {} MiB", self.longest >> 20)));
        Ok(value.and_then(|end| end.map_or_else(too_long, Ok)))
    }

    /// Whether the request that begins at the front is there whole: of one that is not, as a writer that was killed leaves it,
    /// nothing is read. Of one that is longer than [`LONGEST`], that is not known, nor of one that does not begin as they do.
    fn check_request(&mut self) -> io::Result<Result<(), Damage>> {
        let key = [b"\"", REQUEST, b"\""].concat();
        loop {
            let rest = &self.rest()[1..];
            let blanks = rest.iter().take_while(|byte| is_blank(**byte)).count();
            let rest = &rest[blanks..];
            match rest.starts_with(&key) {
                true => return Ok(self.cut(Cut::request())?.map(drop)),
                false if rest.len() >= key.len() || blanks > CHUNK || !self.more()? => return Ok(Ok(())),
                false => {}
            }
        }
    }

    /// Where what begins at the front ends; `None`: not within as many bytes as a value may have.
    fn cut(&mut self, mut cut: Cut) -> io::Result<Result<Option<usize>, Damage>> {
        loop {
            match cut.end(self.rest()) {
                Ok(Some(end)) => return Ok(Ok(Some(end))),
                Err(stray) => return Ok(Err(Damage::from(stray).moved(self.place()))),
                Ok(None) if self.rest().len() > self.longest => return Ok(Ok(None)),
                Ok(None) if self.more()? => {}
                Ok(None) => return Ok(Err(self.damage("it ends inside a value"))),
            }
        }
    }

    /// Go to where the next request begins, or to the end.
    fn find_request(&mut self) -> io::Result<()> {
        let key = [b"\"", REQUEST, b"\""].concat();
        self.front = self.anchor;
        // From where it is looked for, behind the front.
        let mut from = 0;
        loop {
            let rest = self.rest();
            while let Some(at) = memmem::find(&rest[from..], &key) {
                let before = rest[..from + at].iter().rposition(|byte| !is_blank(*byte));
                if let Some(begins) = before.filter(|begins| rest[*begins] == b'{') {
                    self.front += begins;
                    self.anchor = self.front;
                    return Ok(());
                }
                from += at + 1;
            }
            // What may be the beginning of one stays.
            let kept = rest.len().min(2 * key.len());
            self.front += rest.len() - kept;
            self.anchor = self.front;
            from = 0;
            if !self.more()? {
                self.front = self.end;
                return Ok(());
            }
        }
    }
}

#[cfg(test)]
mod tests;
