//! The scenarios that tracegen ships.

use std::path::Path;
use tracegen::plan::Plan;
use tracegen::{compiler, language};

/// Returns the plan of all shipped scenarios, with their weights.
pub fn shipped() -> Plan {
    let loaded = language::load(&[Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios")]);
    compiler::compile(&loaded.model, &loaded.budget).plan.expect("the shipped scenarios compile")
}
