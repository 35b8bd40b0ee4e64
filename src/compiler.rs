//! Language to plan: `resolve` gives names their slots and an order, `check` looks at types and figures, `lower` writes the
//! program.

use crate::language::diagnostic::Diagnostic;
use crate::language::scenario::Model;
use crate::plan::Plan;

/// Compile a model. The plan is there if no diagnostic is an error.
pub fn compile(_model: &Model) -> (Option<Plan>, Vec<Diagnostic>) {
    unimplemented!("written next")
}
