//! Scenario files and plan listings in colours: what each piece of a line is, as a class of `style.css`.

use std::ops::Range;

/// A longer text stays plain: nobody reads colours in it.
const MAX_BYTES: usize = 256 * 1024;

/// A part of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece<'a> {
    /// `k` key, `s` text, `n` number or boolean, `t` template, `c` comment, `i` id of the plan; else empty.
    pub class: &'static str,
    pub text: &'a str,
    /// Something is wrong here.
    pub marked: bool,
}

pub type Line<'a> = Vec<Piece<'a>>;

/// Something in the line is wrong.
pub fn is_marked(line: &Line) -> bool {
    line.iter().any(|piece| piece.marked)
}

/// The lines of a scenario file; `marks` are the places in it where something is wrong.
pub fn yaml<'a>(text: &'a str, marks: &[Range<usize>]) -> Vec<Line<'a>> {
    let pieces = match text.len() {
        ..=MAX_BYTES => Scanner { text, at: 0, flow: 0, pieces: vec![] }.scan(),
        _ => vec![("", 0..text.len())],
    };
    let mut marks: Vec<_> = marks.iter().map(|mark| mark.start..mark.end.max(mark.start + 1)).collect();
    marks.sort_by_key(|mark| (mark.start, mark.end));
    let mut lines = vec![vec![]];
    let mut next = 0;
    for (class, range) in pieces {
        let mut at = range.start;
        while at < range.end {
            while marks.get(next).is_some_and(|mark| mark.end <= at) {
                next += 1;
            }
            let mark = marks.get(next).cloned().unwrap_or(text.len()..text.len());
            let marked = mark.start <= at;
            let cut = if marked { mark.end } else { mark.start }.min(range.end);
            let line_end = text[at..range.end].find('\n').map_or(range.end, |n| at + n);
            let end = text.ceil_char_boundary(cut.max(at + 1)).min(line_end);
            if end > at
                && let Some(line) = lines.last_mut()
            {
                line.push(Piece { class, text: text[at..end].trim_end_matches('\r'), marked });
            }
            at = end;
            if end == line_end && line_end < range.end {
                lines.push(vec![]);
                at += 1;
            }
        }
    }
    lines
}

/// A line of a plan listing.
pub fn listing(line: &str) -> Line<'_> {
    let mut pieces = vec![];
    let (mut at, mut plain) = (0, 0);
    while at < line.len() {
        let rest = &line[at..];
        let word = rest.bytes().take_while(|b| b.is_ascii_alphanumeric() || b"_.-".contains(b)).count();
        if rest.starts_with('"') {
            at += quoted(rest, '"');
        } else if is_id(&rest[..word]) {
            pieces.push(Piece { class: "", text: &line[plain..at], marked: false });
            pieces.push(Piece { class: "i", text: &rest[..word], marked: false });
            at += word;
            plain = at;
        } else {
            at += word.max(rest.chars().next().map_or(1, char::len_utf8));
        }
    }
    pieces.push(Piece { class: "", text: &line[plain..], marked: false });
    pieces.retain(|piece| !piece.text.is_empty());
    pieces
}

fn is_id(word: &str) -> bool {
    ["scenario", "slot", "block", "service", "resource"]
        .iter()
        .any(|kind| word.strip_prefix(kind).is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit())))
}

/// Length of a quoted text, with its quotes; all there is if it is not closed.
fn quoted(text: &str, quote: char) -> usize {
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

/// Reads YAML as far as colours need it. Knows no error: what is not understood is plain.
struct Scanner<'a> {
    text: &'a str,
    at: usize,
    /// Open `[` and `{`.
    flow: usize,
    pieces: Vec<(&'static str, Range<usize>)>,
}

impl<'a> Scanner<'a> {
    fn scan(mut self) -> Vec<(&'static str, Range<usize>)> {
        while self.at < self.text.len() {
            self.token();
        }
        self.pieces
    }

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

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(lines: &[Line]) -> Vec<String> {
        let piece = |p: &Piece| match (p.class, p.marked) {
            ("", false) => p.text.to_string(),
            (class, true) => format!("<{class}!{}>", p.text),
            (class, false) => format!("<{class} {}>", p.text),
        };
        lines.iter().map(|line| line.iter().map(piece).collect()).collect()
    }

    #[test]
    fn scenarios_have_their_colours() {
        let text = "# about\nname: Order # note\nweight: 15\nvars:\n  id: \"o-{{random.int(1, 9)}}\"\n\
                    list: [-1, 2.5%, 'x', <<f(a, b)>>, b c]\nquery: >-\n  SELECT <<x>>\n  FROM t\nurl: http://a:1\n- {k: true}";
        assert_eq!(
            shown(&yaml(text, &[])),
            [
                "<c # about>",
                "<k name>: <s Order> <c # note>",
                "<k weight>: <n 15>",
                "<k vars>:",
                "  <k id>: <s \"o-><t {{random.int(1, 9)}}><s \">",
                "<k list>: [<n -1>, <n 2.5%>, <s 'x'>, <t <<f(a, b)>>>, <s b c>]",
                "<k query>: >-",
                "<s   SELECT ><t <<x>>>",
                "<s   FROM t>",
                "<k url>: <s http://a:1>",
                "- {<k k>: <n true>}",
            ]
        );
    }

    #[test]
    fn marks_cut_pieces_and_nothing_is_lost() {
        let text = "service: \"paymet\"\nend: ü";
        assert_eq!(
            shown(&yaml(text, std::slice::from_ref(&(9..17)))),
            ["<k service>: <s!\"paymet\">", "<k end>: <s ü>"]
        );
        assert_eq!(shown(&yaml(text, &[12..14, 23..23])), ["<k service>: <s \"pa><s!ym><s et\">", "<k end>: <s!ü>"]);
        for text in [
            "",
            "\n",
            "a\r\nb",
            "\"open\n  text",
            "|\n",
            "<<",
            "- - -",
            "a: |",
            "{{{[[[",
            "ü: é #ñ",
            ": :",
            "k: >\n\n x",
        ] {
            for mark in 0..text.len() {
                let lines = yaml(text, std::slice::from_ref(&(mark..mark + 2)));
                let joined: Vec<String> = lines.iter().map(|l| l.iter().map(|p| p.text).collect()).collect();
                assert_eq!(joined.join("\n"), text.replace('\r', ""), "{text:?}");
            }
        }
    }

    #[test]
    fn ids_of_a_listing_stand_out() {
        let line = listing("    5  call   block1 \"block2\" -> slot0x");
        assert_eq!(shown(&[line]), ["    5  call   <i block1> \"block2\" -> slot0x"]);
    }
}
