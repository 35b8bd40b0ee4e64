//! Reads YAML as far as colours need it. Knows no error: what is not understood is plain.

use std::ops::Range;

/// Length of a quoted text, with its quotes; all there is if it is not closed.
pub(super) fn quoted(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' if quote == '"' => escaped = true,
            c if c == quote => return at + 1,
            _ => {}
        }
    }
    text.len()
}

struct Scanner<'a> {
    text: &'a str,
    at: usize,
    /// Open `[` and `{`.
    flow: usize,
    pieces: Vec<(&'static str, Range<usize>)>,
}

/// The whole text in pieces, each with its class.
pub(super) fn scan(text: &str) -> Vec<(&'static str, Range<usize>)> {
    let mut scanner = Scanner { text, at: 0, flow: 0, pieces: vec![] };
    while scanner.at < text.len() {
        scanner.token();
    }
    scanner.pieces
}

impl<'a> Scanner<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn push(&mut self, class: &'static str, len: usize) {
        let range = self.at..self.at + len;
        match self.pieces.last_mut() {
            Some((last, before)) if *last == class && before.end == range.start => before.end = range.end,
            _ if len > 0 => self.pieces.push((class, range)),
            _ => {}
        }
        self.at += len;
    }

    fn token(&mut self) {
        let rest = self.rest();
        let before = self.text[..self.at].bytes().next_back();
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

    /// A scalar or key without quotes.
    fn plain(&mut self) {
        let rest = self.rest();
        let line = &rest[..line_len(rest)];
        let mut end = 0;
        for (at, c) in line.char_indices() {
            let behind = &line[at..];
            let stops = match c {
                ':' => is_key(behind),
                '#' => line[..at].ends_with(' '),
                ',' | ']' | '}' | '[' | '{' => {
                    self.flow > 0 && !within_template(&line[..at]) && !behind.starts_with("{{")
                }
                _ => false,
            };
            if stops {
                break;
            }
            end = at + c.len_utf8();
        }
        let word = line[..end].trim_end();
        let class = match is_key(&line[end..]) {
            true => "k",
            false if is_number(word) => "n",
            false => "s",
        };
        // never stuck, whatever stands there
        let len = word.len().max(line.chars().next().map_or(1, char::len_utf8));
        self.text_with_templates(class, len);
    }

    /// `|` or `>` behind a key, and the lines that are indented more than it.
    fn block_scalar(&mut self) {
        let line_start = self.text[..self.at].rfind('\n').map_or(0, |n| n + 1);
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

    /// `len` bytes of one class, but for the templates in it.
    fn text_with_templates(&mut self, class: &'static str, len: usize) {
        let end = self.at + len;
        while self.at < end {
            let rest = &self.text[self.at..end];
            let Some((open, template)) = template(rest) else {
                return self.push(class, rest.len());
            };
            self.push(class, open);
            self.push("t", template);
        }
    }
}

/// Where the first template begins, and how long it is.
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

/// Whether what stands here makes a key of what stands before.
fn is_key(behind: &str) -> bool {
    let behind = behind.trim_start_matches(' ');
    behind.strip_prefix(':').is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\n', '\r']))
}

fn is_number(word: &str) -> bool {
    let digits = word.trim_end_matches('%').trim_end();
    matches!(word, "true" | "false" | "null" | "~")
        || (digits.parse::<f64>().is_ok() && digits.contains(|c: char| c.is_ascii_digit()))
}

fn line_len(text: &str) -> usize {
    text.find('\n').unwrap_or(text.len())
}
