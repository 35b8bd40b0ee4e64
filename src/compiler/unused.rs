//! What is written and never used. It is looked for only where nothing is wrong: what reads it may be what is wrong.

use super::names::Names;
use super::report::Report;
use crate::language::diagnostic::Problem;
use crate::language::source::{Loc, Located, PRELUDE};
use foldhash::{HashMap, HashMapExt};

/// Reports the vars that nothing reads. A parameter of a shared span is read if it is at one of the places that use the span.
pub fn report_vars(names: &[Names], report: &mut Report) {
    let mut parameters: HashMap<Loc, (&Located<String>, bool)> = HashMap::new();
    for var in names.iter().flat_map(|names| &names.vars) {
        if var.is_parameter {
            parameters.entry(var.name.loc).or_insert((var.name, false)).1 |= var.is_read;
        } else if !var.is_read {
            report.add(Problem::UnusedVar { name: var.name.value.clone() }, var.name.loc);
        }
    }
    for (name, is_read) in parameters.into_values() {
        if !is_read && name.loc.file != PRELUDE {
            report.add(Problem::UnusedVar { name: name.value.clone() }, name.loc);
        }
    }
}
