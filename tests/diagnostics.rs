//! Every diagnostic as a user sees it: each input of `tests/diagnostics` through the real entry, compared with its snapshot.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use tracegen::language::diagnostic::{Problem, render};
use tracegen::language::{self, Loaded};

const INPUTS: &str = "tests/diagnostics";

fn load(path: &Path) -> Loaded {
    // Names as a user of the inputs' folder would see them.
    language::load(&[path.to_owned()])
}

fn render(path: &Path) -> String {
    let loaded = load(path);
    let text = render::human(&loaded.sources, &loaded.diagnostics, false);
    let summary = render::summary(&loaded.sources, &loaded.diagnostics).unwrap_or_default();
    format!("{text}\n{summary}\n").replace(&format!("{INPUTS}/"), "")
}

/// A file, or a directory where several are needed.
fn inputs() -> Vec<PathBuf> {
    let mut inputs: Vec<PathBuf> = std::fs::read_dir(INPUTS).unwrap().map(|entry| entry.unwrap().path()).collect();
    inputs.sort();
    inputs
}

#[test]
fn rendered() {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("../snapshots/diagnostics");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    for input in inputs() {
        let name = input.file_stem().unwrap().to_string_lossy().into_owned();
        settings.bind(|| insta::assert_snapshot!(name, render(&input)));
    }
}

/// Codes of the compiler, which is not part of what runs here.
const ELSEWHERE: [&str; 2] = ["E0204", "E0301"];

/// An input is named by the code it is for, and raises it.
#[test]
fn every_code_has_an_input() {
    let mut raised = BTreeSet::from(ELSEWHERE);
    for input in inputs() {
        let name = input.file_stem().unwrap().to_string_lossy().into_owned();
        let code = name.split('-').next().unwrap();
        let codes = codes(&load(&input));
        assert!(codes.contains(&code), "{name} raises {codes:?}");
        raised.extend(codes);
    }
    for (code, loaded) in made() {
        assert_eq!(codes(&loaded), [code]);
        raised.insert(code);
    }
    let missing: Vec<_> = Problem::CODES.iter().filter(|code| !raised.contains(*code)).collect();
    assert!(missing.is_empty(), "no input raises {missing:?}");
}

fn codes(loaded: &Loaded) -> Vec<&'static str> {
    loaded.diagnostics.iter().map(|diagnostic| diagnostic.problem.code()).collect()
}

/// Inputs that a repository cannot hold.
fn made() -> Vec<(&'static str, Loaded)> {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    let mut made = vec![("E0101", load(&path("nowhere.yaml")))];

    // A sparse file: large, and no bytes on the disk.
    let large = path("large.yaml");
    std::fs::File::create(&large).unwrap().set_len(50 * 1024 * 1024).unwrap();
    made.push(("E0104", load(&large)));

    let many = path("many.yaml");
    std::fs::write(&many, format!("[{}]", "1,".repeat(1_100_000))).unwrap();
    made.push(("E0109", load(&many)));

    let base = path("_base.yaml");
    std::fs::write(&base, "services: [shop]").unwrap();
    made.push(("E0222", load(&base)));

    // It takes more than a thousand mistakes for this one, which stands at their end.
    let mistakes = path("mistakes.yaml");
    std::fs::write(&mistakes, "- 5\n".repeat(1_100)).unwrap();
    let mut loaded = load(&mistakes);
    loaded.diagnostics.drain(..1_000);
    made.push(("E0118", loaded));
    made.extend(fifo(&path("fifo.yaml")));
    made
}

#[cfg(unix)]
fn fifo(path: &Path) -> Option<(&'static str, Loaded)> {
    let made = std::process::Command::new("mkfifo").arg(path).status().unwrap();
    assert!(made.success());
    Some(("E0102", load(path)))
}

#[cfg(not(unix))]
fn fifo(_path: &Path) -> Option<(&'static str, Loaded)> {
    None
}
