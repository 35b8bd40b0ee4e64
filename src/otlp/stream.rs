//! A reader of JSON streams that yields each `ResourceSpans` in them. Requests may follow one another on one line or
//! several, stand in arrays, be spread over many lines, or be wrapped as in Tempo's answers. At most one `ResourceSpans` is
//! held in memory, of at most [`LONGEST`] bytes.

use super::damage::Damage;
use super::scan::{Part, REQUEST, Scanner, is_blank};
use super::text::{Value, key_of};
use memchr::memmem;
use std::io::{self, Read};

/// The length of the longest `ResourceSpans`, or other value, that is read, in bytes.
pub const LONGEST: usize = 64 << 20;
/// The number of bytes that are read at a time.
const CHUNK: usize = 256 << 10;
/// The deepest nesting of arrays around requests.
const DEEPEST: usize = 16;
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// A reader of the `ResourceSpans` in a stream.
pub struct Groups<R> {
    window: Window<R>,
    /// The arrays and objects that are open at the current position, outermost first.
    open_containers: Vec<Container>,
    /// The arrays and objects in the last request or group that was scanned, and where it begins in the stream, in bytes.
    outline: Vec<Part>,
    outline_begins: u64,
}

/// The kinds of arrays and objects in which requests and their groups stand.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Container {
    /// An array of requests.
    Requests,
    /// A request, or an object that has one in it.
    Request,
    /// An array of `ResourceSpans`.
    Groups,
}

/// An item of a stream.
#[derive(Debug)]
pub enum Found<'s> {
    /// A `ResourceSpans`, and its offset from the beginning of the stream, in bytes.
    Group(u64, Value<'s>),
    /// A part that cannot be read. Reading continues with the next request.
    Damaged(Damage),
}

/// The outcome of one step through a stream.
enum Step {
    // Nothing was found yet.
    Continue,
    /// The `ResourceSpans` at the front of the window is the outlined part at this position.
    Group(usize),
    Ended,
}

impl<R: Read> Groups<R> {
    pub fn new(stream: R) -> Groups<R> {
        Groups::of(Window::new(stream, LONGEST))
    }

    fn of(window: Window<R>) -> Groups<R> {
        Groups { window, open_containers: vec![], outline: vec![], outline_begins: 0 }
    }

    /// Reads the next item; returns `None` at the end of the stream.
    ///
    /// # Errors
    /// The stream cannot be read.
    pub fn read(&mut self) -> io::Result<Option<Found<'_>>> {
        loop {
            match self.step()? {
                Ok(Step::Continue) => {}
                Ok(Step::Ended) => return Ok(None),
                Ok(Step::Group(at)) => {
                    let (place, outline) = (self.window.place(), &self.outline[at..]);
                    let text = self.window.take(outline[0].end - outline[0].start);
                    return Ok(Value::outlined(text, outline).map(|group| Found::Group(place, group)));
                }
                Err(damage) => {
                    self.open_containers.clear();
                    self.window.find_request()?;
                    return Ok(Some(Found::Damaged(damage)));
                }
            }
        }
    }

    /// Returns how much of the stream has been read, in bytes.
    pub fn place(&self) -> u64 {
        self.window.place()
    }

    fn step(&mut self) -> io::Result<Result<Step, Damage>> {
        self.window.anchor = self.window.front;
        let Some(byte) = self.window.next_byte(self.open_containers.is_empty())? else {
            return Ok(match self.open_containers.is_empty() {
                true => Ok(Step::Ended),
                false => Err(self.window.damage("it ends inside a request")),
            });
        };
        let open_containers = self.open_containers.last().copied();
        let inside = match (open_containers, byte) {
            (Some(Container::Requests | Container::Groups), b']') | (Some(Container::Request), b'}') => {
                self.window.take(1);
                self.open_containers.pop();
                return Ok(Ok(Step::Continue));
            }
            (Some(Container::Request), b'"') => return self.field(),
            (Some(Container::Groups), b'{') => return self.group(),
            (None | Some(Container::Requests), b'{') => match self.window.check_request()? {
                Ok(outline) => {
                    (self.outline, self.outline_begins) = (outline, self.window.place());
                    Container::Request
                }
                Err(damage) => {
                    // The search for the next request must not find this one again.
                    self.window.take(1);
                    self.window.anchor = self.window.front;
                    return Ok(Err(damage));
                }
            },
            (None | Some(Container::Requests), b'[') if self.open_containers.len() < DEEPEST => Container::Requests,
            _ => return Ok(Err(self.window.damage("not a request in JSON"))),
        };
        self.window.take(1);
        self.open_containers.push(inside);
        Ok(Ok(Step::Continue))
    }

    /// Finds the end of the `ResourceSpans` at the front.
    fn group(&mut self) -> io::Result<Result<Step, Damage>> {
        let offset = (self.window.place() - self.outline_begins) as usize;
        if let Ok(at) = self.outline.binary_search_by_key(&offset, |part| part.start) {
            return Ok(Ok(Step::Group(at)));
        }
        Ok(self.window.value()?.map(|Scanned { outline, .. }| {
            (self.outline, self.outline_begins) = (outline, self.window.place());
            Step::Group(0)
        }))
    }

    /// Reads a field of a request, beginning with its key.
    fn field(&mut self) -> io::Result<Result<Step, Damage>> {
        let key = match self.window.value()? {
            Ok(Scanned { length, .. }) => key_of(self.window.take(length)).map(|key| Key::of(&key)),
            Err(damage) => return Ok(Err(damage)),
        };
        let Ok(key) = key else { return Ok(Err(self.window.damage("a key that is not a string"))) };
        if self.window.next_byte(false)? != Some(b':') {
            return Ok(Err(self.window.damage("a colon is missing")));
        }
        self.window.take(1);
        let inside = match (key, self.window.next_byte(false)?) {
            (Key::Groups, Some(b'[')) => Container::Groups,
            (Key::Request, Some(b'{')) => Container::Request,
            _ => {
                return Ok(self.window.value()?.map(|Scanned { length, .. }| {
                    self.window.take(length);
                    Step::Continue
                }));
            }
        };
        self.window.take(1);
        self.open_containers.push(inside);
        Ok(Ok(Step::Continue))
    }
}

/// The meaning of a key in a request.
enum Key {
    /// A list of `ResourceSpans`; OTLP and Tempo have different names for it.
    Groups,
    /// A request inside of Tempo's wrapping.
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

/// A value at the front of the window whose end has been found.
struct Scanned {
    /// Its length in bytes.
    length: usize,
    /// The outermost arrays and objects in it.
    outline: Vec<Part>,
}

/// The part of a stream that is in memory.
struct Window<R> {
    stream: R,
    /// A buffer that is filled up to `end`.
    bytes: Vec<u8>,
    end: usize,
    /// The index in `bytes` up to which the stream has been consumed.
    front: usize,
    /// The index in `bytes` at which the current step began, after leading blanks. When the step fails, the search for the
    /// next request starts here.
    anchor: usize,
    /// The number of bytes of the stream that came before `bytes`.
    bytes_before: u64,
    /// The maximum length of a value in bytes.
    longest: usize,
}

impl<R: Read> Window<R> {
    fn new(stream: R, longest: usize) -> Window<R> {
        Window { stream, bytes: vec![], end: 0, front: 0, anchor: 0, bytes_before: 0, longest }
    }

    fn rest(&self) -> &[u8] {
        &self.bytes[self.front..self.end]
    }

    /// Returns the offset of the front in the stream, in bytes.
    fn place(&self) -> u64 {
        self.bytes_before + self.front as u64
    }

    fn damage(&self, why: &str) -> Damage {
        Damage::new(self.place(), why)
    }

    fn take(&mut self, length: usize) -> &[u8] {
        self.front += length;
        &self.bytes[self.front - length..self.front]
    }

    /// Reads more of the stream, and returns whether there was more.
    fn more(&mut self) -> io::Result<bool> {
        if self.anchor >= self.end / 2 {
            self.bytes.copy_within(self.anchor..self.end, 0);
            self.bytes_before += self.anchor as u64;
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

    /// Returns the next byte that is not blank. `between` means between requests, where some writers leave other bytes:
    /// zeros in a file that was cut off while it was written, a byte order mark, a record separator.
    fn next_byte(&mut self, between: bool) -> io::Result<Option<u8>> {
        let begins = self.front == self.anchor;
        loop {
            while let [byte, rest @ ..] = self.rest() {
                let marks = if between { BYTE_ORDER_MARK } else { &[] };
                let blank = match byte {
                    b',' => 1,
                    0 | 0x1e if between => 1,
                    0xef if between && rest.starts_with(&marks[1..]) => 3,
                    // More of the mark may follow.
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

    /// Scans the value that begins at the front.
    fn value(&mut self) -> io::Result<Result<Scanned, Damage>> {
        let value = self.find_end(Scanner::without_request())?;
        let too_long = || Err(self.damage(&format!("a value of more than {} MiB", self.longest >> 20)));
        Ok(value.and_then(|end| end.map_or_else(too_long, Ok)))
    }

    /// Checks that the request at the front is complete, so that nothing is read of a request whose writer was killed, and
    /// returns its outline. A request that is longer than [`LONGEST`], or does not begin with the usual key, passes without
    /// this check, and without an outline.
    fn check_request(&mut self) -> io::Result<Result<Vec<Part>, Damage>> {
        let key = [b"\"", REQUEST, b"\""].concat();
        loop {
            let rest = &self.rest()[1..];
            let blanks = rest.iter().take_while(|byte| is_blank(**byte)).count();
            let rest = &rest[blanks..];
            match rest.starts_with(&key) {
                true => {
                    let end = self.find_end(Scanner::request())?;
                    return Ok(end.map(|end| end.map_or_else(Vec::new, |scanned| scanned.outline)));
                }
                false if rest.len() >= key.len() || blanks > CHUNK || !self.more()? => return Ok(Ok(vec![])),
                false => {}
            }
        }
    }

    /// Scans the value at the front; returns `None` if it is longer than a value may be.
    fn find_end(&mut self, mut scanner: Scanner) -> io::Result<Result<Option<Scanned>, Damage>> {
        loop {
            match scanner.end(self.rest()) {
                Ok(Some(length)) => return Ok(Ok(Some(Scanned { length, outline: scanner.into_outline() }))),
                Err(stray) => return Ok(Err(Damage::from(stray).moved(self.place()))),
                Ok(None) if self.rest().len() > self.longest => return Ok(Ok(None)),
                Ok(None) if self.more()? => {}
                Ok(None) => return Ok(Err(self.damage("it ends inside a value"))),
            }
        }
    }

    /// Moves to the beginning of the next request, or to the end.
    fn find_request(&mut self) -> io::Result<()> {
        let key = [b"\"", REQUEST, b"\""].concat();
        self.front = self.anchor;
        // The offset behind the front at which the search continues.
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
            // The last bytes stay: they may be the beginning of a request.
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
