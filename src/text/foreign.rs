//! Text that others wrote, as a terminal can show it: names of services and files, values of attributes, the answers of other
//! servers.

use std::fmt::{self, Display, Write};

/// Characters of one text that are shown: a name can be as long as a request.
const MOST: usize = 1_000;

/// The text on one line, with nothing in it that a terminal obeys or that changes the order of what stands beside it: control
/// characters, line breaks, marks of writing direction and whatever else has no look of its own are written out, as `\n` or
/// `\u{1b}`. What is very long ends in `...`.
pub fn foreign(text: &str) -> Foreign<'_> {
    Foreign { text, lines: false }
}

/// As [`foreign`], for a whole message with foreign text somewhere in it: it keeps its lines, and all of its length.
pub fn message(text: &str) -> Foreign<'_> {
    Foreign { text, lines: true }
}

/// A text that is made harmless while it is written.
pub struct Foreign<'a> {
    text: &'a str,
    lines: bool,
}

impl Display for Foreign<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A width is for what is shown, so that columns stay columns.
        if f.width().is_some() {
            return f.pad(&self.to_plain());
        }
        self.write(f)
    }
}

impl Foreign<'_> {
    fn to_plain(&self) -> String {
        let mut shown = String::with_capacity(self.text.len());
        // A `String` takes all.
        let _ = self.write(&mut shown);
        shown
    }

    fn write(&self, out: &mut impl Write) -> fmt::Result {
        for (count, c) in self.text.chars().enumerate() {
            if count == MOST && !self.lines {
                return out.write_str("...");
            }
            match c {
                ' '..='~' => out.write_char(c)?,
                '\n' if self.lines => out.write_char(c)?,
                c => escaped(c, out)?,
            }
        }
        Ok(())
    }
}

/// Whether a character is shown as it is.
pub fn is_shown(c: char) -> bool {
    let mut shown = String::new();
    matches!(c, ' '..='~') || escaped(c, &mut shown).is_ok() && shown.chars().eq([c])
}

/// As Rust shows a character in a text: itself where it has a look.
fn escaped(c: char, out: &mut impl Write) -> fmt::Result {
    let mut buffer = [0; 4];
    // Alone, an accent would be taken for one without a letter, and written out.
    let mut pair = String::from("e");
    pair.push_str(c.encode_utf8(&mut buffer));
    pair.escape_debug().skip(1).try_for_each(|c| out.write_char(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_has_nothing_to_obey() {
        for (text, shown) in [
            ("checkout", "checkout"),
            ("a'b\"c\\d", "a'b\"c\\d"),
            ("caf\u{e9} Stra\u{df}e \u{65e5}\u{672c} \u{1f600}", "caf\u{e9} Stra\u{df}e \u{65e5}\u{672c} \u{1f600}"),
            // An accent of its own character is text, too.
            ("cafe\u{301}", "cafe\u{301}"),
            ("\u{1b}[31mred\u{1b}[0m", "\\u{1b}[31mred\\u{1b}[0m"),
            ("\u{9b}31m\u{7f}\u{0}", "\\u{9b}31m\\u{7f}\\0"),
            ("a\r\n\tb", "a\\r\\n\\tb"),
            ("\u{202e}evil\u{202c}\u{2066}x\u{2069}\u{200f}", "\\u{202e}evil\\u{202c}\\u{2066}x\\u{2069}\\u{200f}"),
            ("a\u{2028}b\u{2029}\u{200b}\u{feff}\u{ad}", "a\\u{2028}b\\u{2029}\\u{200b}\\u{feff}\\u{ad}"),
            ("\u{e0041}\u{e000}", "\\u{e0041}\\u{e000}"),
        ] {
            assert_eq!(foreign(text).to_string(), shown);
        }
        assert_eq!(message("a\n\u{1b}b\r").to_string(), "a\n\\u{1b}b\\r");
    }

    #[test]
    fn columns_are_of_what_is_shown() {
        assert_eq!(format!("{:<8}|{:>4}|", foreign("a\u{1b}"), foreign("b")), "a\\u{1b} |   b|");
    }

    #[test]
    fn what_is_very_long_is_cut() {
        assert_eq!(foreign(&"x".repeat(MOST)).to_string(), "x".repeat(MOST));
        assert_eq!(foreign(&"x".repeat(32 << 20)).to_string(), "x".repeat(MOST) + "...");
        assert_eq!(message(&"x".repeat(5_000)).to_string().len(), 5_000);
    }
}
