//! The prelude: shared spans that every file may use, as it may those of its own.

use std::sync::LazyLock;

use super::read;
use super::shared::Library;
use crate::language::Limits;
use crate::language::budget::Budget;
use crate::language::source::{PRELUDE, prelude};

static LIBRARY: LazyLock<Library> = LazyLock::new(|| {
    let (budget, mut diagnostics) = (Budget::default(), vec![]);
    let limits = Limits { suggestions: 0, budget: &budget };
    let contents = read::read(PRELUDE, prelude(), true, limits, &mut diagnostics);
    debug_assert_eq!(diagnostics, []);
    contents.shared.as_ref().clone()
});

/// The shared spans of the prelude, which are read when they are first asked for.
pub fn library() -> &'static Library {
    &LIBRARY
}
