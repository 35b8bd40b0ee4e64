//! Text from outside in a form that a terminal can safely show: names of services and files, values of attributes, answers
//! of other servers.

use std::fmt::{self, Display, Write};

/// The maximum number of characters of one text that are shown: a name can be as long as a request.
const MOST: usize = 1_000;

/// Returns the text on one line, without anything that a terminal obeys or that changes the order of the text around it.
/// Control characters, line breaks, marks of writing direction and other invisible characters are written as `\n` or
/// `\u{1b}`. A very long text is cut and ends in `...`.
pub fn foreign(text: &str) -> Foreign<'_> {
    Foreign { text, lines: false }
}

/// Returns a whole message with foreign text in it, made safe as by [`foreign`], but with its lines and its full length.
pub fn message(text: &str) -> Foreign<'_> {
    Foreign { text, lines: true }
}

/// A text that is made safe while it is written.
pub struct Foreign<'a> {
    text: &'a str,
    lines: bool,
}

impl Display for Foreign<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A width applies to the shown text, so that columns stay aligned.
        if f.width().is_some() {
            return f.pad(&self.to_plain());
        }
        self.write(f)
    }
}

impl Foreign<'_> {
    fn to_plain(&self) -> String {
        let mut shown = String::with_capacity(self.text.len());
        // Writing to a `String` does not fail.
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

/// Reports whether a character is shown as it is.
pub fn is_shown(c: char) -> bool {
    let mut shown = String::new();
    matches!(c, ' '..='~') || escaped(c, &mut shown).is_ok() && shown.chars().eq([c])
}

/// Writes a character as Rust's `Debug` for strings does: itself if it is visible.
fn escaped(c: char, out: &mut impl Write) -> fmt::Result {
    let mut buffer = [0; 4];
    // On its own, an accent would count as one without a letter, and be escaped.
    let mut pair = String::from("e");
    pair.push_str(c.encode_utf8(&mut buffer));
    pair.escape_debug().skip(1).try_for_each(|c| out.write_char(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_gets_nothing_that_it_obeys() {
        for (text, shown) in [
            ("checkout", "checkout"),
            ("a'b\"c\\d", "a'b\"c\\d"),
            ("caf\u{e9} Stra\u{df}e \u{65e5}\u{672c} \u{1f600}", "caf\u{e9} Stra\u{df}e \u{65e5}\u{672c} \u{1f600}"),
            // A combining accent is text, too.
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
    fn columns_are_as_wide_as_what_is_shown() {
        assert_eq!(format!("{:<8}|{:>4}|", foreign("a\u{1b}"), foreign("b")), "a\\u{1b} |   b|");
    }

    #[test]
    fn a_very_long_text_is_cut() {
        assert_eq!(foreign(&"x".repeat(MOST)).to_string(), "x".repeat(MOST));
        assert_eq!(foreign(&"x".repeat(32 << 20)).to_string(), "x".repeat(MOST) + "...");
        assert_eq!(message(&"x".repeat(5_000)).to_string().len(), 5_000);
    }
}
