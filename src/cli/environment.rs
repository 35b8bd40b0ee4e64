//! Environment variables. A flag beats its variable; an empty variable counts as unset; a bad value is an error that names
//! the variable, the value and what is allowed.

use super::Failure;
use crate::text::listed;
use std::fmt::Display;

/// A variable's text; `None`: unset or empty.
pub fn text(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// A variable's value through `parse`.
pub fn value<T, E: Display>(name: &str, parse: impl Fn(&str) -> Result<T, E>) -> Result<Option<T>, Failure> {
    text(name)
        .map(|value| parse(value.trim()).map_err(|e| Failure::usage(format!("{name}=`{value}`: {e}"))))
        .transpose()
}

/// The variables of the tool this one follows that have no effect here, as one line, if any is set.
pub fn without_effect() -> Option<String> {
    let set: Vec<&str> =
        ["MAX_TEMPLATE_ITERATIONS", "OTEL_LOG_LEVEL"].into_iter().filter(|name| text(name).is_some()).collect();
    match set[..] {
        [] => None,
        [one] => Some(format!("{one} is accepted and has no effect")),
        _ => Some(format!("{} are accepted and have no effect", listed(&set, "and"))),
    }
}
