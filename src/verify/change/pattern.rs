//! Regular expressions, which take time proportional to the text that they search.

use regex::{Captures, Regex, RegexBuilder};
use std::borrow::Cow;
use std::sync::LazyLock;

/// The maximum size of a compiled regular expression in bytes.
const MOST_BYTES: usize = 1 << 20;
/// What a redaction puts in the place of a value.
pub const MASK: &str = "****";

/// The pattern that finds each line as a whole.
pub static LINES: LazyLock<Pattern> = LazyLock::new(|| Pattern(Regex::new(".*").expect("a regular expression")));

/// A regular expression; two are the same if they are written in the same way.
#[derive(Clone, Debug)]
pub struct Pattern(Regex);

impl Pattern {
    /// Compiles a regular expression.
    ///
    /// # Errors
    /// It is not one, or it is too large; the error is the reason.
    pub fn new(text: &str) -> Result<Pattern, String> {
        let compiled = RegexBuilder::new(text).size_limit(MOST_BYTES).build();
        compiled.map(Pattern).map_err(|error| match error {
            regex::Error::CompiledTooBig(_) => "it would take more than 1 MiB of memory".into(),
            // The last line of the message is the reason; those above show the place.
            error => error.to_string().lines().last().unwrap_or_default().trim_start_matches("error: ").into(),
        })
    }

    /// Reports whether something is found.
    pub fn is_in(&self, text: &str) -> bool {
        self.0.is_match(text)
    }

    /// Replaces all that is found; `$1` and `${name}` in `by` stand for groups. Returns `None` if nothing is found.
    pub fn replaced(&self, text: &str, by: &str) -> Option<String> {
        match self.0.replace_all(text, by) {
            Cow::Borrowed(_) => None,
            Cow::Owned(replaced) => Some(replaced),
        }
    }

    /// Replaces all that is found by asterisks. Returns `None` if nothing is found.
    pub fn masked(&self, text: &str) -> Option<String> {
        match self.0.replace_all(text, |_: &Captures<'_>| MASK) {
            Cow::Borrowed(_) => None,
            Cow::Owned(masked) => Some(masked),
        }
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Pattern) -> bool {
        self.0.as_str() == other.0.as_str()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_written_as_in_the_collector() {
        let pattern = Pattern::new(r"^(GET|POST) /orders/(?P<id>\d+)$").unwrap();
        assert_eq!(pattern.replaced("GET /orders/17", "$1 /orders/{id}").as_deref(), Some("GET /orders/{id}"));
        assert_eq!(pattern.replaced("GET /orders/17", "${id}: $$1").as_deref(), Some("17: $1"));
        assert_eq!(pattern.replaced("GET /items", "x"), None);
        assert_eq!(Pattern::new("a").unwrap().replaced("banana", "o").as_deref(), Some("bonono"));
    }

    #[test]
    fn a_value_is_masked_as_a_whole_line_by_line() {
        let masked = |text: &str| LINES.masked(text);
        assert_eq!(masked("secret").as_deref(), Some("****"));
        assert_eq!(masked("").as_deref(), Some("****"));
        assert_eq!(masked("a\nb").as_deref(), Some("****\n****"));
        assert_eq!(Pattern::new(r"\d+").unwrap().masked("a1b22").as_deref(), Some("a****b****"));
    }

    #[test]
    fn a_pattern_that_is_wrong_or_too_large_is_refused_with_the_reason() {
        assert_eq!(Pattern::new("(a").unwrap_err(), "unclosed group");
        assert!(Pattern::new(r"\w{1000}{1000}").unwrap_err().contains("1 MiB"));
        assert!(Pattern::new("(?=a)").unwrap_err().contains("look-around"));
    }
}
