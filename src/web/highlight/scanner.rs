//! A scanner that reads YAML as far as colours need it. It has no errors: what it does not understand is plain.

use std::ops::Range;

/// Returns the length of a quoted text including its quotes, or of the whole text if it is not closed.
pub(super) fn quoted(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (offset, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' if quote == '"' => escaped = true,
            c if c == quote => return offset + 1,
            _ => {}
        }
    }
    text.len()
}

struct Scanner<'a> {
    text: &'a str,
    offset: usize,
    /// The number of open `[` and `{`.
    flow: usize,
    pieces: Vec<(&'static str, Range<usize>)>,
}

/// Splits a text into pieces, each with its class.
pub(super) fn scan(text: &str) -> Vec<(&'static str, Range<usize>)> {
    let mut scanner = Scanner { text, offset: 0, flow: 0, pieces: vec![] };
    while scanner.offset < text.len() {
        scanner.token();
    }
    scanner.pieces
}

impl<'a> Scanner<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.offset..]
    }

    fn push(&mut self, class: &'static str, len: usize) {
        let range = self.offset..self.offset + len;
        match self.pieces.last_mut() {
            Some((last, before)) if *last == class && before.end == range.start => before.end = range.end,
            _ if len > 0 => self.pieces.push((class, range)),
            _ => {}
        }
        self.offset += len;
    }

    fn token(&mut self) {
        let rest = self.rest();
        let before = self.text[..self.offset].bytes().next_back();
        let first = rest.chars().next().unwrap_or(' ');
        match first {
            '#' if before.is_none_or(|b| b.is_ascii_whitespace()) => self.push("c", line_len(rest)),
            '"' | '\'' => {
                let len = quoted(rest, first);
                let class = if is_key(&rest[len..]) { "k" } else { "s" };
                self.text_with_templates(class, len);
            }
            '[' | '{' if !rest.starts_with("{{") => {
                self.flow += 1;
                self.push("", 1);
            }
            ']' | '}' => {
                self.flow = self.flow.saturating_sub(1);
                self.push("", 1);
            }
            '|' | '>' if self.flow == 0 => self.block_scalar(),
            ',' | ':' | '-' | '?' | '&' | '*' | '!' if !self.begins_number() => self.push("", 1),
            c if c.is_whitespace() => self.push("", c.len_utf8()),
            _ => self.plain(),
        }
    }

    fn begins_number(&self) -> bool {
        let rest = self.rest().as_bytes();
        rest[0] == b'-' && rest.get(1).is_some_and(|b| b.is_ascii_digit() || *b == b'.')
    }

    /// Reads a scalar or key without quotes.
    fn plain(&mut self) {
        let rest = self.rest();
        let line = &rest[..line_len(rest)];
        let mut end = 0;
        for (offset, c) in line.char_indices() {
            let following = &line[offset..];
            let stops = match c {
                ':' => is_key(following),
                '#' => line[..offset].ends_with(' '),
                ',' | ']' | '}' | '[' | '{' => {
                    self.flow > 0 && !within_template(&line[..offset]) && !following.starts_with("{{")
                }
                _ => false,
            };
            if stops {
                break;
            }
            end = offset + c.len_utf8();
        }
        let word = line[..end].trim_end();
        let class = match is_key(&line[end..]) {
            true => "k",
            false if is_number(word) => "n",
            false => "s",
        };
        // The scanner must advance in any case.
        let len = word.len().max(line.chars().next().map_or(1, char::len_utf8));
        self.text_with_templates(class, len);
    }

    /// Reads `|` or `>` behind a key, and the following lines that are indented deeper.
    fn block_scalar(&mut self) {
        let line_start = self.text[..self.offset].rfind('\n').map_or(0, |n| n + 1);
        let line = &self.text[line_start..];
        let indent = line.len() - line.trim_start_matches([' ', '-']).len();
        let head = self.rest();
        self.push("", head[..line_len(head)].find('#').unwrap_or(line_len(head)).max(1));
        if self.rest().starts_with('#') {
            self.push("c", line_len(self.rest()));
        }
        if !self.rest().starts_with('\n') {
            return;
        }
        let mut len = 1;
        for line in self.rest()[1..].split_inclusive('\n') {
            let own = line.len() - line.trim_start_matches(' ').len();
            if !line.trim().is_empty() && own <= indent.saturating_sub(1) {
                break;
            }
            len += line.len();
        }
        self.text_with_templates("s", len);
    }

    /// Adds `len` bytes of one class, except for the templates in them.
    fn text_with_templates(&mut self, class: &'static str, len: usize) {
        let end = self.offset + len;
        while self.offset < end {
            let rest = &self.text[self.offset..end];
            let Some((open, template)) = template(rest) else {
                return self.push(class, rest.len());
            };
            self.push(class, open);
            self.push("t", template);
        }
    }
}

/// Returns the offset and the length of the first template.
fn template(text: &str) -> Option<(usize, usize)> {
    let (open, close) = match (text.find("<<"), text.find("{{")) {
        (Some(a), b) if b.is_none_or(|b| a < b) => (a, ">>"),
        (_, b) => (b?, "}}"),
    };
    let len = text[open..].find(close)? + 2;
    Some((open, len))
}

fn within_template(text: &str) -> bool {
    let open = text.matches("<<").count() + text.matches("{{").count();
    open > text.matches(">>").count() + text.matches("}}").count()
}

/// Reports whether the text at `following` makes a key of what stands before it.
fn is_key(following: &str) -> bool {
    let following = following.trim_start_matches(' ');
    following.strip_prefix(':').is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\n', '\r']))
}

fn is_number(word: &str) -> bool {
    let digits = word.trim_end_matches('%').trim_end();
    matches!(word, "true" | "false" | "null" | "~")
        || (digits.parse::<f64>().is_ok() && digits.contains(|c: char| c.is_ascii_digit()))
}

fn line_len(text: &str) -> usize {
    text.find('\n').unwrap_or(text.len())
}
