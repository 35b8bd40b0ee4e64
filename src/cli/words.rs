//! The words of a command line for a shell.

use super::scenarios;
use crate::text::foreign;
use std::path::PathBuf;

/// Returns the words that name traces on a command line: paths, seed and schedule.
pub fn naming(paths: &[PathBuf], seed: u64, flags: &[String]) -> String {
    let mut words = vec![];
    if !scenarios::is_default(paths) {
        words.extend(paths.iter().map(|path| quoted(&path.display().to_string())));
    }
    words.push(format!("--seed {seed}"));
    words.extend(flags.iter().cloned());
    words.join(" ")
}

/// Quotes a word for a shell, if necessary.
pub fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,+@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.into();
    }
    if word.chars().all(foreign::is_shown) {
        return format!("'{}'", word.replace('\'', r"'\''"));
    }
    // Control characters, which a terminal would obey, are written in the form `$'...'` of Bash and Zsh.
    let escaped = word.chars().map(|c| match c {
        '\'' | '\\' => format!("\\{c}"),
        c if foreign::is_shown(c) => c.to_string(),
        c => format!("\\U{:08x}", u32::from(c)),
    });
    format!("$'{}'", escaped.collect::<String>())
}
