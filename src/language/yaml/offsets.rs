//! Maps places in a scalar's decoded text back to places in the file.

use super::Style;
use crate::language::source::Loc;

/// The places in the file of the bytes of a scalar's text.
pub struct Offsets {
    loc: Loc,
    map: Map,
}

enum Map {
    /// The text is the same as in the file from this position on.
    Shifted(u32),
    /// The position of each byte of the text, and of its end.
    Table(Vec<u32>),
}

impl Offsets {
    /// Makes the offsets. `source` is the file's text, and `loc` the scalar's place with its quotes.
    pub fn new(source: &str, loc: Loc, style: Style, text: &str) -> Self {
        let raw = &source[loc.range()];
        let quote = u32::from(style.is_quoted());
        let map = if raw.get(quote as usize..).is_some_and(|raw| raw.starts_with(text)) {
            Map::Shifted(loc.start + quote)
        } else {
            Map::Table(align(raw, loc.start, style, text))
        };
        Offsets { loc, map }
    }

    /// Returns the position of the text in the file, if it is the same there.
    pub fn verbatim(&self) -> Option<u32> {
        match self.map {
            Map::Shifted(start) => Some(start),
            Map::Table(_) => None,
        }
    }

    /// Returns the place of the text's bytes `start..end`.
    pub fn loc(&self, start: usize, end: usize) -> Loc {
        let (start, end) = match &self.map {
            Map::Shifted(base) => (base + start as u32, base + end as u32),
            Map::Table(table) => {
                let at = |i: usize| table.get(i).copied().unwrap_or(self.loc.end);
                // The end is that of the last character, not the start of the next one, which may be lines below.
                let end_at = if end > start { at(end - 1) + 1 } else { at(end) };
                (at(start), end_at)
            }
        };
        let start = start.min(self.loc.end);
        Loc { start, end: end.clamp(start, self.loc.end), ..self.loc }
    }
}

/// Compares the source and the text in parallel. YAML only folds white space and, in quotes, resolves escapes, so every
/// character that is not white space is found again, in order.
fn align(raw: &str, base: u32, style: Style, text: &str) -> Vec<u32> {
    let mut table = Vec::with_capacity(text.len() + 1);
    let mut at = usize::from(style.is_quoted());
    for c in text.chars() {
        let mut escape = None;
        loop {
            let rest = &raw[at.min(raw.len())..];
            let Some(next) = rest.chars().next() else { break };
            if style == Style::DoubleQuoted && next == '\\' {
                escape = escape_length(rest);
                match escape {
                    Some(_) => break,
                    // An escaped line break stands for nothing.
                    None => at += 1 + rest[1..].chars().next().map_or(0, char::len_utf8),
                }
            } else if next == c || !next.is_whitespace() || c.is_whitespace() {
                break;
            } else {
                at += next.len_utf8();
            }
        }
        let start = at.min(raw.len());
        for i in 0..c.len_utf8() {
            // A character that is written as such has its own bytes; one that is written as an escape has the first byte of
            // that.
            table.push(base + (start + if escape.is_none() { i } else { 0 }) as u32);
        }
        let rest = &raw[start..];
        at = start
            + match escape {
                Some(length) => length,
                None if style == Style::SingleQuoted && rest.starts_with("''") => 2,
                None if rest.starts_with(c) => c.len_utf8(),
                // This is a folded line break; the loop above skips the remaining white space.
                None => usize::from(rest.starts_with(char::is_whitespace)),
            };
        while !raw.is_char_boundary(at.min(raw.len())) {
            at += 1;
        }
    }
    table.push(base + at.min(raw.len()) as u32);
    table
}

/// Returns the number of bytes of the escape at the beginning, or `None` for an escaped line break.
fn escape_length(rest: &str) -> Option<usize> {
    let c = rest[1..].chars().next()?;
    let digits = match c {
        'x' => 2,
        // A surrogate pair is two escapes for one character.
        'u' if rest.get(2..4).is_some_and(|high| high.eq_ignore_ascii_case("d8")) && rest.get(6..8) == Some("\\u") => {
            10
        }
        'u' => 4,
        'U' => 8,
        '\n' | '\r' => return None,
        _ => 0,
    };
    Some((1 + c.len_utf8() + digits).min(rest.len()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::language::source::FileId;

    fn place(source: &str, style: Style, text: &str, part: &str) -> String {
        let loc = Loc { file: FileId(0), start: 0, end: source.len() as u32 };
        let start = text.find(part).unwrap();
        let found = Offsets::new(source, loc, style, text).loc(start, start + part.len());
        source[found.range()].to_owned()
    }

    #[test]
    fn finds_parts_again() {
        assert_eq!(place("'a <<x>>'", Style::SingleQuoted, "a <<x>>", "<<x>>"), "<<x>>");
        assert_eq!(place("'it''s <<x>>'", Style::SingleQuoted, "it's <<x>>", "<<x>>"), "<<x>>");
        assert_eq!(place(r#""\t\u00e9 <<x>>""#, Style::DoubleQuoted, "\té <<x>>", "<<x>>"), "<<x>>");
        assert_eq!(place(r#""\uD834\uDD1E<<x>>""#, Style::DoubleQuoted, "\u{1d11e}<<x>>", "<<x>>"), "<<x>>");
        assert_eq!(place("\"a\n   b <<x>>\"", Style::DoubleQuoted, "a b <<x>>", "<<x>>"), "<<x>>");
        assert_eq!(place("\"a \\\n   b<<x>>\"", Style::DoubleQuoted, "a b<<x>>", "<<x>>"), "<<x>>");
        assert_eq!(place("a\n    b\n\n    é<<x>>", Style::Plain, "a b\né<<x>>", "<<x>>"), "<<x>>");
        assert_eq!(place("one\n      <<two>>\n", Style::Block, "one\n<<two>>\n", "<<two>>"), "<<two>>");
    }
}
