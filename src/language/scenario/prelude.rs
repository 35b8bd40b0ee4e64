//! The prelude: shared spans that every file may use like its own.

use std::sync::LazyLock;
use std::sync::atomic::AtomicU64;

use super::read;
use super::shared::Library;
use super::table::Tables;
use crate::language::Limits;
use crate::language::budget::Budget;
use crate::language::source::{PRELUDE, prelude};

static LIBRARY: LazyLock<Library> = LazyLock::new(|| {
    let (budget, mut diagnostics) = (Budget::default(), vec![]);
    let tables = Tables { folder: None, bytes: &AtomicU64::new(0) };
    let limits = Limits { suggestions: 0, budget: &budget, tables };
    let contents = read::read(PRELUDE, prelude(), true, limits, &mut diagnostics);
    debug_assert_eq!(diagnostics, []);
    contents.shared.as_ref().clone()
});

/// Returns the shared spans of the prelude, which are read when they are first needed.
pub fn library() -> &'static Library {
    &LIBRARY
}
