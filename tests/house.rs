//! The structure of the crate: a wing imports only what the table allows, and exports nothing of another wing; inside a
//! wing no parts import each other in a circle. Code for tests is left out.

#[path = "house/circles.rs"]
mod circles;
#[path = "house/modules.rs"]
mod modules;

use modules::{Mention, Modules};
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::LazyLock;

/// The wings of `src/lib.rs`, each with the other wings that it may name.
const TABLE: &[(&str, &[&str])] = &[
    ("clock", &[]),
    ("disk", &[]),
    ("text", &[]),
    ("histogram", &[]),
    ("language", &["text"]),
    ("plan", &[]),
    ("compiler", &["language", "plan"]),
    ("trace", &["plan"]),
    ("condition", &["language", "plan", "trace"]),
    ("interpreter", &["plan", "trace"]),
    ("export", &["clock", "disk", "text", "histogram", "plan", "trace"]),
    ("explain", &["histogram", "plan", "trace", "condition", "interpreter", "export"]),
    ("seats", &[]),
    ("otlp", &[]),
    ("receive", &["clock", "seats", "otlp"]),
    ("store", &["clock", "histogram", "plan", "trace"]),
    ("journal", &["disk", "plan", "trace", "interpreter", "export"]),
    ("engine", &["clock", "histogram", "plan", "trace", "interpreter", "export", "store", "journal"]),
    ("telemetry", &["clock", "histogram", "trace", "export", "store", "engine"]),
    (
        "verify",
        &[
            "clock",
            "text",
            "histogram",
            "language",
            "plan",
            "trace",
            "condition",
            "interpreter",
            "export",
            "otlp",
            "store",
            "journal",
        ],
    ),
    (
        "web",
        &[
            "clock",
            "text",
            "histogram",
            "language",
            "plan",
            "compiler",
            "trace",
            "interpreter",
            "export",
            "explain",
            "seats",
            "store",
            "verify",
            "engine",
            "telemetry",
        ],
    ),
    (
        "cli",
        &[
            "clock",
            "disk",
            "text",
            "language",
            "plan",
            "compiler",
            "trace",
            "condition",
            "interpreter",
            "export",
            "explain",
            "receive",
            "store",
            "journal",
            "verify",
            "engine",
            "telemetry",
            "web",
        ],
    ),
];

#[test]
fn every_wing_is_in_the_table() {
    let wings: BTreeSet<&str> = HOUSE.0.files().into_iter().filter_map(|file| file.split(['/', '.']).next()).collect();
    let table: BTreeSet<&str> = TABLE.iter().map(|(name, _)| *name).chain(["lib", "main"]).collect();
    assert_eq!(wings, table);
}

#[test]
fn a_wing_imports_only_what_the_table_allows() {
    let mentions = &HOUSE.1;
    assert!(mentions.len() > 1_000, "only {} paths were found", mentions.len());
    assert_nothing("a wing imports what the table does not allow", forbidden(mentions));
}

#[test]
fn a_wing_exports_nothing_of_another() {
    assert_nothing("a wing exports what is another's", exported_across(&HOUSE.1));
}

#[test]
fn no_parts_of_a_module_import_each_other_in_a_circle() {
    assert_nothing("parts of a module import each other in a circle", circles::circles(&HOUSE.1));
}

/// A printing macro ends the process if it can't print: on a full disk, or to a terminal that has gone.
#[test]
fn only_one_place_prints() {
    const PRINTING: [&str; 5] = ["print", "println", "eprint", "eprintln", "dbg"];
    let calls = HOUSE.0.macro_calls().filter(|(_, _, name)| PRINTING.contains(name));
    assert_nothing(
        "say it by `cli::output`",
        calls.map(|(file, line, name)| format!("src/{file}:{line}: {name}!")).collect(),
    );
}

static HOUSE: LazyLock<(Modules, Vec<Mention>)> = LazyLock::new(|| {
    let modules = Modules::of_crate(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"));
    let mentions = modules.mentions();
    (modules, mentions)
});

fn assert_nothing(fault: &str, found: Vec<String>) {
    assert!(found.is_empty(), "{fault}:\n{}", found.join("\n"));
}

/// Returns the wings that a mention leads from and to, if they are two different wings.
fn across(mention: &Mention) -> Option<(&str, &str)> {
    let (from, to) = (mention.from.first()?, mention.to.first()?);
    (from != to && from != "main").then_some((from, to))
}

fn forbidden(mentions: &[Mention]) -> Vec<String> {
    let allowed = |from: &str, to: &str| TABLE.iter().any(|(wing, others)| *wing == from && others.contains(&to));
    let broken = mentions.iter().filter(|mention| across(mention).is_some_and(|(from, to)| !allowed(from, to)));
    broken.map(|it| format!("src/{}:{}: {}", it.file, it.line, it.path)).collect()
}

fn exported_across(mentions: &[Mention]) -> Vec<String> {
    let broken = mentions.iter().filter(|mention| mention.exported && across(mention).is_some());
    broken.map(|it| format!("src/{}:{}: pub use {}", it.file, it.line, it.path)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the mentions of a small crate, whose wings are written as `(module, text)`.
    fn mentions(files: &[(&str, &str)]) -> Vec<Mention> {
        let file =
            |module: &str| files.iter().find(|(name, _)| *name == module).map_or("", |(_, text)| text).to_string();
        let wings: BTreeSet<&str> = files.iter().filter_map(|(name, _)| name.split("::").next()).collect();
        let root: String = wings.iter().map(|wing| format!("pub mod {wing};")).collect();
        let mut modules = Modules::default();
        modules.add(vec![], "lib.rs", &root, &|module| (format!("{}.rs", module.join("/")), file(&module.join("::"))));
        modules.mentions()
    }

    const EXPORT: (&str, &str) = ("export", "pub struct Batch; pub fn f() {}");

    fn forbidden_in_plan(text: &str) -> Vec<String> {
        let parts = [EXPORT, ("trace", "pub struct Trace;"), ("plan", text), ("plan::file", "")];
        forbidden(&mentions(&parts)).iter().map(|it| it.replace("src/plan.rs:", "")).collect()
    }

    #[test]
    fn a_planted_import_is_found() {
        for (text, found) in [
            ("use crate::export::Batch;", "1: crate::export::Batch"),
            ("use crate::{plan, export::{Batch as B}};", "1: crate::export::Batch"),
            ("use super::export::*;", "1: super::export::*"),
            ("\nfn f() {\n let x = crate::export::f(); }", "3: crate::export::f"),
            ("fn f() { use crate::export::f; }", "1: crate::export::f"),
            ("fn f() { println!(\"{}\", crate::export::f()); }", "1: crate::export::f"),
            ("mod inner { use super::super::export::Batch; }", "1: super::super::export::Batch"),
            ("pub(in crate::plan) fn f(x: tracegen::export::Batch) {}", "1: tracegen::export::Batch"),
        ] {
            assert_eq!(forbidden_in_plan(text), [found], "{text}");
        }
    }

    #[test]
    fn comments_literals_and_tests_name_nothing() {
        for text in [
            "// use crate::export;",
            "const A: &str = r#\"crate::export::f \" crate::export::f\"#;",
            "#[cfg(test)]\nmod tests { use crate::export; fn f() { crate::export::f(); } }",
            "#[cfg(test)]\nuse crate::export;",
            "mod file; use file::x; fn f() { std::export::f(); }",
        ] {
            assert_eq!(forbidden_in_plan(text), Vec::<String>::new(), "{text}");
        }
    }

    #[test]
    fn a_planted_export_is_found() {
        let parts = [EXPORT, ("engine", "pub use crate::export::Batch; pub use inner::f; mod inner { pub fn f() {} }")];
        assert_eq!(exported_across(&mentions(&parts)), ["src/engine.rs:1: pub use crate::export::Batch"]);
    }

    #[test]
    fn a_planted_circle_is_found_and_a_re_export_is_none() {
        let parent = ("plan", "mod a; mod b; pub use a::A; pub use b::B;");
        let one_way = [parent, ("plan::a", "pub struct A;"), ("plan::b", "use super::A; pub struct B(A);")];
        assert_eq!(circles::circles(&mentions(&one_way)), Vec::<String>::new());
        let round = [parent, ("plan::a", "use super::B; pub struct A;"), ("plan::b", "pub struct B(super::A);")];
        let found = circles::circles(&mentions(&round));
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].contains("plan/a.rs -> plan/b.rs: super::B"));
    }
}
