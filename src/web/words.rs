//! Sentences with code in them: what stands between backticks is code.

use crate::text;

/// A part of a sentence, in words or as code.
pub struct Words {
    pub code: bool,
    pub text: String,
}

/// Splits a sentence into its parts, in order.
pub fn words(sentence: &str) -> Vec<Words> {
    let parts = sentence.split('`').enumerate();
    parts.map(|(i, text)| Words { code: i % 2 == 1, text: text.into() }).filter(|w| !w.text.is_empty()).collect()
}

/// Lists names as code: "`a`, `b` and `c`", with "and" as `last`.
pub fn listed_as_code(names: &[&str], last: &str) -> String {
    let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    text::listed(&names, last)
}
