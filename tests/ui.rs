//! All pages and actions in a real browser; `tests/browser/README.md` lists what each test does.

use std::collections::BTreeSet;

mod support {
    pub mod browser;
    pub mod serve;
}

mod browser {
    mod chrome;
    mod incidents;
    mod login;
    mod playground;
    mod scenarios;
    mod services;
    mod status;
    mod trace;
    mod traces;
}

#[test]
fn the_table_of_actions_names_every_test() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/browser");
    let table = std::fs::read_to_string(folder.join("README.md")).unwrap();
    let named: BTreeSet<&str> = table.split('`').filter(|word| word.contains("::")).collect();
    let mut there = BTreeSet::new();
    for page in std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()) {
        let text = std::fs::read_to_string(&page).unwrap();
        let name = page.file_stem().unwrap().to_string_lossy().into_owned();
        let tests = text.split("#[test]\nfn ").skip(1).filter_map(|rest| rest.split_once('('));
        there.extend(tests.map(|(test, _)| format!("{name}::{test}")));
    }
    assert!(there.len() > 50);
    assert_eq!(there.iter().map(String::as_str).collect::<BTreeSet<_>>(), named);
}
