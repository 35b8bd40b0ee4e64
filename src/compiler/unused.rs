//! What is written and never used. It is looked for only where nothing is wrong: what reads it may be what is wrong.

use std::collections::BTreeMap;

use super::names::Names;
use super::report::Report;
use crate::language::diagnostic::Problem;
use crate::language::source::{Loc, Located, PRELUDE};

/// Reports the vars that nothing reads. One of a shared span is read if it is at one of the places that use the span.
pub fn report_vars(names: &[Names], report: &mut Report) {
    let mut vars: BTreeMap<Loc, (&Located<String>, bool)> = BTreeMap::new();
    for var in names.iter().flat_map(|names| &names.vars).filter(|var| var.name.loc.file != PRELUDE) {
        vars.entry(var.name.loc).or_insert((var.name, false)).1 |= var.is_read;
    }
    for (name, _) in vars.into_values().filter(|(_, is_read)| !is_read) {
        report.add_unused(Problem::UnusedVar { name: name.value.clone() }, name.loc);
    }
}
