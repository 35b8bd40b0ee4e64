//! What the compiler makes of each input of `tests/plans`, as the listing shows it, compared with its snapshot.

use std::path::PathBuf;
use tracegen::compiler;
use tracegen::language;
use tracegen::language::diagnostic::render;

#[test]
fn listings() {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("../snapshots/plans");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    let mut inputs: Vec<PathBuf> = std::fs::read_dir("tests/plans").unwrap().map(|e| e.unwrap().path()).collect();
    inputs.sort();
    assert!(inputs.len() >= 5);
    for input in inputs {
        let (sources, compiled) = compiler::compile_loaded(language::load(std::slice::from_ref(&input)));
        let found = render::human(&sources, &compiled.diagnostics, false);
        let plan = compiled.plan.unwrap_or_else(|| panic!("{found}"));
        assert_eq!(found, "");
        let name = input.file_stem().unwrap().to_string_lossy().into_owned();
        settings.bind(|| insta::assert_snapshot!(name, plan.listing()));
    }
}
