//! Every diagnostic as a user sees it: each input of `tests/diagnostics` is compiled, and compared with its snapshot.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tracegen::compiler;
use tracegen::language::budget::Budget;
use tracegen::language::diagnostic::{Class, Diagnostic, Problem, render};
use tracegen::language::source::Sources;
use tracegen::language::{self, Loaded};
use tracegen::verify::PolicyReader;

#[path = "support/policies.rs"]
mod policies;

const INPUTS: &str = "tests/diagnostics";

struct Checked {
    sources: Sources,
    diagnostics: Vec<Diagnostic>,
}

fn check(path: &Path) -> Checked {
    // File names appear as to a user in the folder of the inputs.
    check_loaded(language::load(&[path.to_owned()]))
}

fn check_loaded(loaded: Loaded) -> Checked {
    let (sources, compiled) = compiler::compile_loaded(loaded);
    assert_eq!(compiled.plan.is_none(), codes_of(&compiled.diagnostics).iter().any(|code| code.starts_with('E')));
    Checked { sources, diagnostics: compiled.diagnostics }
}

/// Renders the diagnostics as a user in `directory` sees them.
fn shown(checked: &Checked, directory: &str) -> String {
    let text = render::human(&checked.sources, &checked.diagnostics, false);
    let summary = render::summary(&checked.sources, &checked.diagnostics).unwrap_or_default();
    format!("{text}\n{summary}\n").replace(&format!("{directory}/"), "")
}

/// Returns the inputs, each a file or a directory of several files.
fn inputs() -> Vec<PathBuf> {
    let mut inputs: Vec<PathBuf> = std::fs::read_dir(INPUTS).unwrap().map(|entry| entry.unwrap().path()).collect();
    inputs.sort();
    inputs
}

/// Returns the policies that are wrong, with the names of their files.
fn policies() -> Vec<(String, Checked)> {
    let known = policies::vocabulary();
    let read = |path: PathBuf| {
        let mut reader = PolicyReader::new(&known);
        reader.file(&path);
        let is_wrong = reader.finish().is_none();
        let PolicyReader { sources, diagnostics, .. } = reader;
        assert_eq!(is_wrong, codes_of(&diagnostics).iter().any(|code| code.starts_with('E')));
        (path.file_stem().unwrap().to_string_lossy().into_owned(), Checked { sources, diagnostics })
    };
    policies::inputs().into_iter().map(read).collect()
}

#[test]
fn rendered() {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("../snapshots/diagnostics");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    for input in inputs() {
        let name = input.file_stem().unwrap().to_string_lossy().into_owned();
        settings.bind(|| insta::assert_snapshot!(name, shown(&check(&input), INPUTS)));
    }
    for (name, checked) in policies() {
        settings.bind(|| insta::assert_snapshot!(format!("policy-{name}"), shown(&checked, policies::INPUTS)));
    }
    let directory = tempfile::tempdir().unwrap();
    for (code, checked) in made(directory.path()) {
        let text = shown(&checked, &directory.path().display().to_string());
        settings.bind(|| insta::assert_snapshot!(format!("{code}-made"), text));
    }
}

/// The codes that only a bug in tracegen raises.
const NEVER: [&str; 1] = ["E0699"];

/// An input is named after the code that it raises.
#[test]
fn every_code_has_an_input() {
    let codes_once: BTreeSet<_> = Problem::CODES.iter().collect();
    assert_eq!(codes_once.len(), Problem::CODES.len(), "two problems share a code");
    let mut raised = BTreeSet::from(NEVER);
    for input in inputs() {
        let name = input.file_stem().unwrap().to_string_lossy().into_owned();
        let code = name.split('-').next().unwrap();
        let codes = codes(&check(&input));
        assert!(codes.contains(&code), "{name} raises {codes:?}");
        raised.extend(codes);
    }
    for (name, checked) in policies() {
        let codes = codes(&checked);
        assert!(codes.contains(&name.split('-').next().unwrap()), "{name} raises {codes:?}");
        raised.extend(codes);
    }
    for (code, checked) in made(tempfile::tempdir().unwrap().path()) {
        assert_eq!(codes(&checked), [code]);
        raised.insert(code);
    }
    let missing: Vec<_> = Problem::CODES.iter().filter(|code| !raised.contains(*code)).collect();
    assert!(missing.is_empty(), "no input raises {missing:?}");
}

/// The class is in the table of problems, and the code, which users see, must agree with it.
#[test]
fn a_code_agrees_with_its_class_and_every_related_place_says_its_role() {
    let made = made(tempfile::tempdir().unwrap().path()).into_iter().map(|(_, checked)| checked);
    let policies = policies().into_iter().map(|(_, checked)| checked);
    let all = inputs().iter().map(|input| check(input)).chain(made).chain(policies).collect::<Vec<_>>();
    for diagnostic in all.into_iter().flat_map(|checked| checked.diagnostics) {
        let (code, class) = (diagnostic.problem.code(), diagnostic.problem.class());
        let expected = match code {
            code if code.starts_with("E01") => Class::File,
            code if code.starts_with('E') => Class::Error,
            _ => Class::Warning,
        };
        assert_eq!(class, expected, "{code}");
        assert!(diagnostic.related.iter().all(|related| !related.role.label().is_empty()), "{code}");
    }
}

/// A consequence of another mistake is not reported.
#[test]
fn a_mistake_is_reported_once() {
    let pod = "attributes: {pod: 'pod-<<instance.index>>'}";
    let shop = |fields: &str| {
        format!(
            "services: {{shop: {{{fields}{pod}}}}}\nscenarios:\n  - name: a\n    root_span: {{service: shop, operation: o}}\n"
        )
    };
    let orders = |rest: &str| format!("name: orders\n{rest}\n");
    for (text, expected) in [
        (shop("instances: 3, "), &[][..]),
        (shop("instances: many, "), &["E0203"]),
        (shop("instances: 0, "), &["E0213"]),
        (shop("instances: [3], "), &["E0203"]),
        (shop("instanses: 3, "), &["E0201"]),
        (shop(""), &["E0404"]),
        (orders("root_span: {servce: shop, operation: o}"), &["E0201"]),
        (orders("root_span: {foo: 1}"), &["E0201"]),
        (orders("root_span: {service: s, operation: o, calls: [{foo: 1}]}"), &["E0201"]),
        (orders("root_span: {service: s, operation: o, events: [{foo: 1}]}"), &["E0201"]),
        (orders("root_span: {service: s, operation: o, error_conditions: [{foo: 1}]}"), &["E0201"]),
        (orders("steps: [{service: s, operation: o}, {srv: s, op: o}]"), &["E0201", "E0201"]),
        (orders("rootspan: {service: s, operation: o}"), &["E0201"]),
        (orders("root_span: {service: s, opertion_name: o}"), &["E0201"]),
        (orders("root_span: {service: s, foo: o}"), &["E0201"]),
        (orders("varz: {x: 1}\nroot_span: {service: s, operation: o <<x>> <<vars.x>>}"), &["E0201"]),
        (
            orders(
                "root_span: {service: s, operation: o <<x>>, atributes: {x: 1}, calls: [{service: s, operation: <<parent.attributes.x>>}]}",
            ),
            &["E0201"],
        ),
        (
            orders("spans: {a: {varz: {x: 1}, service: s, operation: <<x>>}}\nroot_span: {use: a, with: {x: 2}}"),
            &["E0201"],
        ),
        (orders("span: {a: {service: s, operation: o}}\nroot_span: {use: a}"), &["E0201"]),
        (orders("spans: {a: []}\nroot_span: {use: a}"), &["E0203"]),
    ] {
        let checked = check_loaded(language::load_texts(vec![("a.yaml".into(), text.clone())]));
        assert_eq!(codes(&checked), expected, "{text}");
    }
}

/// Keys that begin with `x-` can have any value, wherever there are fields.
#[test]
fn keys_that_begin_with_x_are_free() {
    let text = "x-first: &own {service: shop, operation: o}
services: {shop: {x-team: [a, null]}}
scenarios:
  - name: a
    x-ticket: {any: 1}
    root_span:
      <<: *own
      x-owner: ~
      events: [{name: e, x-why: 1}]
      error_conditions: [{probability: 5, type: T, x-runbook: 'https://runbook'}]
      calls: [{service: shop, operation: p, x-y: []}]
x-last: <<nothing>>
";
    let checked = check_loaded(language::load_texts(vec![("a.yaml".into(), text.into())]));
    assert_eq!(codes(&checked), [""; 0], "{}", shown(&checked, INPUTS));
}

fn codes(checked: &Checked) -> Vec<&'static str> {
    codes_of(&checked.diagnostics)
}

fn codes_of(diagnostics: &[Diagnostic]) -> Vec<&'static str> {
    diagnostics.iter().map(|diagnostic| diagnostic.problem.code()).collect()
}

/// Makes inputs that a repository cannot hold.
fn made(directory: &Path) -> Vec<(&'static str, Checked)> {
    let path = |name: &str| directory.join(name);
    let mut made = vec![("E0101", check(&path("nowhere.yaml")))];

    // A sparse file is large without taking space on the disk.
    let large = path("large.yaml");
    std::fs::File::create(&large).unwrap().set_len(50 * 1024 * 1024).unwrap();
    made.push(("E0104", check(&large)));

    let many = path("many.yaml");
    std::fs::write(&many, format!("[{}]", "1,".repeat(1_100_000))).unwrap();
    made.push(("E0109", check(&many)));

    let wide = path("wide.yaml");
    let call = "    - {service: s, operation: o}\n";
    let root = "name: wide\nroot_span:\n  service: s\n  operation: o\n  calls:\n";
    std::fs::write(&wide, format!("{root}{}", call.repeat(10_000))).unwrap();
    made.push(("E0606", check(&wide)));

    let base = path("_base.yaml");
    std::fs::write(&base, "services: [shop]").unwrap();
    made.push(("E0222", check(&base)));

    // This diagnostic stands at the end of more than a thousand mistakes.
    let mistakes = path("mistakes.yaml");
    std::fs::write(&mistakes, "- 5\n".repeat(1_100)).unwrap();
    let mut checked = check(&mistakes);
    checked.diagnostics.drain(..1_000);
    made.push(("E0118", checked));
    made.extend(fifo(&path("fifo.yaml")));

    let spent = Budget::lasting(Duration::ZERO);
    let root = "name: a\nroot_span: {service: shop, operation: o}\n";
    let texts = vec![(path("late.yaml").display().to_string(), root.to_owned())];
    made.push(("E0610", check_loaded(language::load_texts_within(texts, spent))));

    let shared = path("shared.yaml");
    let attributes: String = (0..1_000).map(|i| format!("      a{i}: {i}\n")).collect();
    let uses = "    - {use: large}\n".repeat(4_300);
    let text = format!(
        "spans:\n  large:\n    service: s\n    operation: o\n    attributes:\n{attributes}name: a\nroot_span:\n  service: s\n  operation: o\n  calls:\n{uses}"
    );
    std::fs::write(&shared, text).unwrap();
    made.push(("E0707", check(&shared)));

    let root = "name: a\nvars: {place: {choice: places.csv}}\nroot_span: {service: shop, operation: o}\n";
    let texts = vec![(path("unread.yaml").display().to_string(), root.to_owned())];
    made.push(("E0235", check_loaded(language::load_texts(texts))));

    // Every glob matches every key, which makes more links than a plan may have.
    let links = path("links.yaml");
    let mut text = String::new();
    for i in 0..2_100 {
        let root = "root_span: {service: shop, operation: o";
        text += &format!("- {{name: from {i}, {root}, export_context_as: \"{i}-<<random.uuid>>\"}}}}\n");
        text += &format!("- {{name: to {i}, {root}, link_from_context: \"*{i}*\"}}}}\n");
    }
    std::fs::write(&links, text).unwrap();
    made.push(("E0611", check(&links)));

    let many = path("policy.yaml");
    std::fs::write(&many, format!("traces:\n{}", "  - keep: spans > 5\n".repeat(1_001))).unwrap();
    let known = policies::vocabulary();
    let mut reader = PolicyReader::new(&known);
    reader.file(&many);
    assert!(reader.finish().is_none());
    made.push(("E0905", Checked { sources: reader.sources, diagnostics: reader.diagnostics }));
    made
}

#[cfg(unix)]
fn fifo(path: &Path) -> Option<(&'static str, Checked)> {
    let made = std::process::Command::new("mkfifo").arg(path).status().unwrap();
    assert!(made.success());
    Some(("E0102", check(path)))
}

#[cfg(not(unix))]
fn fifo(_path: &Path) -> Option<(&'static str, Checked)> {
    None
}
