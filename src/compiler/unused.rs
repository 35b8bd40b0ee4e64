//! The check for parts that are never used. It is made only if there are no errors, because an erroneous part may be the
//! one that uses them.

use std::collections::BTreeMap;

use super::names::Names;
use super::report::Report;
use crate::language::diagnostic::Problem;
use crate::language::source::{Loc, Located, PRELUDE};

/// Reports the vars that nothing reads. A var of a shared span counts as read if any use of the span reads it.
pub fn report_vars(names: &[Names], report: &mut Report) {
    let mut vars: BTreeMap<Loc, (&Located<String>, bool)> = BTreeMap::new();
    for var in names.iter().flat_map(|names| &names.vars).filter(|var| var.name.loc.file != PRELUDE) {
        vars.entry(var.name.loc).or_insert((var.name, false)).1 |= var.is_read;
    }
    for (name, _) in vars.into_values().filter(|(_, is_read)| !is_read) {
        report.add_unused(Problem::UnusedVar { name: name.value.clone() }, name.loc);
    }
}
