//! The wrong policies of `tests/policies`, and the run that they are for.

use std::path::PathBuf;
use tracegen::compiler::compile_loaded;
use tracegen::condition::Vocabulary;
use tracegen::language;

pub const INPUTS: &str = "tests/policies";

/// Returns the paths of the policies.
pub fn inputs() -> Vec<PathBuf> {
    let mut inputs: Vec<PathBuf> = std::fs::read_dir(INPUTS).unwrap().map(|entry| entry.unwrap().path()).collect();
    inputs.sort();
    inputs
}

/// Returns the names that a run of the shop can have.
pub fn vocabulary() -> Vocabulary {
    let loaded = language::load(&["scenarios/examples/shop.yaml".into()]);
    Vocabulary::of([&compile_loaded(loaded).1.plan.unwrap()])
}
