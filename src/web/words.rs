//! Sentences with code in them, as messages are written: what stands between backticks is code.

use crate::text;

/// A part of a sentence, in words or as code.
pub struct Words {
    pub code: bool,
    pub text: String,
}

/// The parts of a sentence, in order.
pub fn words(sentence: &str) -> Vec<Words> {
    let parts = sentence.split('`').enumerate();
    parts.map(|(i, text)| Words { code: i % 2 == 1, text: text.into() }).filter(|w| !w.text.is_empty()).collect()
}

/// Names as code, as a sentence lists them: "`a`, `b` and `c`", where `last` is "and".
pub fn listed_as_code(names: &[&str], last: &str) -> String {
    let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    text::listed(&names, last)
}
