//! Environment variables. A flag beats its variable, and an empty variable counts as unset. The error for a bad value names
//! the variable, the value and what is allowed.

use super::Failure;
use crate::text::listed;
use std::fmt::Display;

/// Returns the text of a variable, or `None` if it is unset or empty.
pub fn text(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// Returns the value of a variable as parsed by `parse`.
///
/// # Errors
/// `parse` refuses the text.
pub fn value<T, E: Display>(name: &str, parse: impl Fn(&str) -> Result<T, E>) -> Result<Option<T>, Failure> {
    text(name)
        .map(|value| parse(value.trim()).map_err(|e| Failure::usage(format!("{name}=`{value}`: {e}"))))
        .transpose()
}

/// Returns a line about the variables that tracegen accepts for compatibility and that have no effect, if any is set.
pub fn without_effect() -> Option<String> {
    let set: Vec<&str> =
        ["MAX_TEMPLATE_ITERATIONS", "OTEL_LOG_LEVEL"].into_iter().filter(|name| text(name).is_some()).collect();
    match set[..] {
        [] => None,
        [one] => Some(format!("{one} is accepted and has no effect")),
        _ => Some(format!("{} are accepted and have no effect", listed(&set, "and"))),
    }
}
