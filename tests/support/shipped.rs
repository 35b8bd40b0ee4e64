//! The scenarios that tracegen ships, and those that use every construct of the language.
#![allow(dead_code, reason = "each test file uses its own part")]

use std::path::Path;
use tracegen::plan::Plan;
use tracegen::{compiler, language};

/// Returns the plan of all shipped scenarios, with their weights.
pub fn shipped() -> Plan {
    compiled("scenarios")
}

/// Returns the plan of the scenarios that use every construct of the language.
pub fn features() -> Plan {
    compiled("tests/everything")
}

/// Returns the plan of the scenarios of a path in the checkout.
pub fn compiled(path: &str) -> Plan {
    let loaded = language::load(&[Path::new(env!("CARGO_MANIFEST_DIR")).join(path)]);
    compiler::compile(&loaded.model, &loaded.budget).plan.expect("the scenarios compile")
}
