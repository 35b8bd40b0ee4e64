//! The bare binary without a checkout around it and without anything installed.

mod support {
    pub mod binary;
}

use std::collections::BTreeSet;
use std::fs;
use support::binary::tracegen;

#[test]
fn without_scenarios_the_shipped_ones_run_with_a_message() {
    let empty = tempfile::tempdir().expect("a directory");
    let run = |directory: &std::path::Path, paths: &[&str]| {
        let flags = [
            "run",
            "--seed",
            "7",
            "--start",
            "2026-01-01T00:00:00Z",
            "--rate",
            "9/s",
            "--count",
            "50",
            "--exporter",
            "file=-",
        ];
        tracegen().current_dir(directory).args(flags).args(paths).assert().success()
    };
    let bare = run(empty.path(), &[]);
    let here = run(env!("CARGO_MANIFEST_DIR").as_ref(), &[]);
    assert!(!bare.get_output().stdout.is_empty() && bare.get_output().stdout == here.get_output().stdout);
    let said = |output: &std::process::Output| String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said(bare.get_output()).contains("the scenarios that tracegen comes with"), "{}", said(bare.get_output()));
    assert!(!said(here.get_output()).contains("comes with"), "{}", said(here.get_output()));
}

#[test]
fn named_scenarios_are_never_replaced_by_the_shipped_ones() {
    let empty = tempfile::tempdir().expect("a directory");
    let tracegen = || {
        let mut command = tracegen();
        command.current_dir(empty.path());
        command
    };
    tracegen().args(["compile", "--check"]).assert().code(1);
    tracegen().args(["run", "scenarios", "--count", "1", "--exporter", "none"]).assert().code(1);
    tracegen().env("SCENARIOS_DIR", "here").args(["run", "--count", "1", "--exporter", "none"]).assert().code(1);
}

#[test]
fn each_command_has_its_page_and_all_completions_know_them() {
    let folder = tempfile::tempdir().expect("a directory");
    let man = folder.path().join("share/man1");
    tracegen().arg("man").arg(&man).assert().success().stdout("");
    let pages: BTreeSet<String> =
        fs::read_dir(&man).unwrap().map(|page| page.unwrap().file_name().into_string().unwrap()).collect();
    let help = tracegen().arg("--help").assert().success();
    let help = String::from_utf8_lossy(&help.get_output().stdout).into_owned();
    let commands = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    // A name begins in the third column; continued lines are indented further.
    let names: Vec<&str> = commands
        .filter_map(|line| line.strip_prefix("  ").filter(|rest| !rest.starts_with(' '))?.split(' ').next())
        .filter(|name| *name != "help")
        .collect();
    assert!(names.len() > 5, "{help}");
    let expected: BTreeSet<String> =
        names.iter().map(|name| format!("tracegen-{name}.1")).chain(["tracegen.1".into()]).collect();
    assert_eq!(pages, expected);
    for page in &pages {
        let text = fs::read_to_string(man.join(page)).unwrap();
        assert!(text.contains(".SH NAME") && text.contains(".SH OPTIONS"), "{page}: {text}");
    }
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = tracegen().args(["completions", shell]).assert().success();
        let script = String::from_utf8_lossy(&script.get_output().stdout).into_owned();
        for name in &names {
            assert!(script.contains(name), "{shell} does not complete {name}");
        }
    }
}

#[test]
fn the_version_is_that_of_the_package() {
    let version = tracegen().arg("--version").assert().success();
    let version = String::from_utf8_lossy(&version.get_output().stdout).into_owned();
    assert!(version.starts_with(concat!("tracegen ", env!("CARGO_PKG_VERSION"))), "{version}");
}
