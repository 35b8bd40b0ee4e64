//! Malicious scenario files: whatever is read, the answer is a set of diagnostics, given soon and without a panic.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use proptest::prelude::*;
use tracegen::language::diagnostic::render;
use tracegen::language::{self, Loaded};

/// Loads a file from memory, and renders its diagnostics in every format.
fn load(text: impl Into<String>) -> Loaded {
    let loaded = language::load_texts(vec![("hostile.yaml".into(), text.into())]);
    let (sources, diagnostics) = (&loaded.sources, &loaded.diagnostics);
    render::human(sources, diagnostics, true);
    render::json(sources, diagnostics);
    render::github(sources, diagnostics);
    render::sarif(sources, diagnostics);
    loaded
}

fn first_code(loaded: &Loaded) -> &'static str {
    loaded.diagnostics.first().map_or("", |diagnostic| diagnostic.problem.code())
}

fn attribute(value: &str) -> String {
    format!("name: a\nroot_span:\n  service: s\n  operation: o\n  attributes:\n    a: {value}\n")
}

/// Each of these large inputs was once quadratic or recursive in some parser. Together they take seconds, unoptimized.
#[test]
fn large_inputs_are_answered() {
    const N: usize = 20_000;
    let many = |text: &str, n: usize| text.repeat(n);
    let inputs = [
        ("deep flow", many("[", N)),
        ("deep flow mappings", many("{a: ", N)),
        ("deep block", many("- ", N)),
        ("deep indents", (0..2000).map(|i| " ".repeat(i) + "a:\n").collect()),
        ("one long scalar", attribute(&many("x", 10 * N))),
        ("one long quoted scalar", attribute(&format!("\"{}\"", many("\\u00e9", N)))),
        ("a long template", attribute(&format!("<<x>>{}", many("y", 10 * N)))),
        ("many openers", attribute(&many("<<", 30_000))),
        ("many openers, escapes and quotes", attribute(&format!("'{}'", many("<<\\''", 10_000)))),
        ("many wrong closers", attribute(&format!("'{}'", many("<<a}} ", 10_000)))),
        ("many expressions", attribute(&format!("'{}'", many("<<a>>{{b}}", 6_000)))),
        ("many brackets", attribute(&format!("'<<{}>>'", many("(", 60_000)))),
        ("many operators", attribute(&format!("'<<1{}>>'", many("+1", 30_000)))),
        ("many filters", attribute(&format!("'<<1{}>>'", many("|a", 30_000)))),
        ("a long list", attribute(&format!("'<<[1{}]>>'", many(",1", 30_000)))),
        ("many nots", attribute(&format!("'<<{}1>>'", many("not ", 15_000)))),
        ("many minuses", attribute(&format!("'<<{}1>>'", many("-", 60_000)))),
        ("many cut templates", attribute(&format!("[{}]", many("<<a,", N)))),
        ("many cut pairs", attribute(&format!("{{{}}}", many("a: <<a,", N)))),
        ("many unknown fields", (0..N).map(|i| format!("field{i}: 1\n")).collect()),
        ("many duplicates", many("name: 1\n", N)),
        ("many unknown aliases", format!("[{}]", many("*a,", N))),
        ("many unused anchors", (0..N).map(|i| format!("- &a{i} x\n")).collect()),
        ("many documents", many("--- x\n", N)),
        ("many broken documents", many("---\n[\n", N)),
        ("many tags", format!("[{}]", many("!t x,", N))),
        ("many mistakes on one line", format!("[{}]", many("5,", N))),
        ("many services", format!("services: [{}]", (0..N).map(|i| format!("s{i},")).collect::<String>())),
        ("many comments", many("# <<x\n", N)),
        ("long lines in the middle", format!("{}name: a\n", attribute(&format!("'{}' 'b'", many("y", 10 * N))))),
    ];
    for (name, text) in inputs {
        eprint!("{name}: ");
        let began = Instant::now();
        load(text);
        let took = began.elapsed();
        assert!(took < Duration::from_secs(60), "{name} took {took:?}");
        println!("{took:>10.1?}  {name}");
    }
}

#[test]
fn nesting_is_bounded() {
    assert_eq!(first_code(&load("[".repeat(100_000))), "E0108");
    assert_eq!(first_code(&load("- ".repeat(100_000))), "E0108");
    assert_eq!(first_code(&load(attribute(&format!("<<{}>>", "(".repeat(60_000))))), "E0305");
    assert_eq!(first_code(&load(attribute(&format!("<<1{}>>", "+1".repeat(10_000))))), "E0305");
}

/// The limits can be reached, even on a thread's small stack.
#[test]
fn the_bounds_can_be_reached() {
    let mut span = "{service: s, operation: o}".to_owned();
    for _ in 1..64 {
        span = format!("{{service: s, operation: o, calls: [{span}]}}");
    }
    assert_eq!(first_code(&load(format!("name: a\nroot_span: {span}\n"))), "");
    let deep = format!("<<{}1{}>>", "(".repeat(63), ")".repeat(63));
    assert_eq!(first_code(&load(attribute(&deep))), "");
}

#[test]
fn alias_bombs_are_refused() {
    let mut bomb = "- &a0 {service: s, operation: o}\n".to_owned();
    for level in 1..40 {
        let aliases = format!("*a{},", level - 1).repeat(10);
        bomb += &format!("- &a{level} {{service: s, operation: o, calls: [{aliases}]}}\n");
    }
    let loaded = load(bomb);
    assert!(loaded.diagnostics.iter().any(|diagnostic| diagnostic.problem.code() == "E0110"));
}

#[test]
fn directories_and_devices_are_not_opened() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::create_dir(directory.path().join("inner.yaml")).unwrap();
    std::fs::create_dir(directory.path().join("_base.yaml")).unwrap();
    std::fs::write(directory.path().join("a.yaml"), "name: a\nroot_span: {service: s, operation: o}\n").unwrap();
    let loaded = language::load(&[directory.path().to_owned(), PathBuf::from("/dev/zero")]);
    let codes: Vec<_> = loaded.diagnostics.iter().map(|diagnostic| diagnostic.problem.code()).collect();
    // The base is a directory, and the device is a device.
    assert_eq!(codes, ["E0102", "E0102"]);
    assert_eq!(loaded.model.scenarios.len(), 1);
}

/// Returns the texts from which mutations start: the inputs of the diagnostics.
fn seeds() -> Vec<String> {
    let mut seeds = vec![];
    for entry in std::fs::read_dir("tests/diagnostics").unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            seeds.push(String::from_utf8_lossy(&std::fs::read(path).unwrap()).into_owned());
        }
    }
    seeds
}

#[derive(Clone, Debug)]
enum Edit {
    Insert(usize, &'static str),
    Remove(usize, usize),
    Repeat(usize, usize),
}

fn edit() -> impl Strategy<Value = Edit> {
    let pieces = prop::sample::select(vec![
        "<<",
        ">>",
        "{{",
        "}}",
        "'",
        "\"",
        "\\",
        "[",
        "]",
        "{",
        "}",
        ",",
        ": ",
        "\n",
        "\n  ",
        "- ",
        "#",
        " #<<",
        "&a ",
        "*a",
        "!t ",
        "|\n",
        ">-\n",
        "---\n",
        "...\n",
        "\t",
        "é",
        "\u{FEFF}",
        "\r\n",
        "%",
        "@",
        "(",
        ")",
        "| ",
        "random.int(1, 2)",
        "<<: *a",
        "0x",
        "1e999",
        "~",
        "\u{85}",
        "\u{2028}",
    ]);
    prop_oneof![
        4 => (any::<usize>(), pieces).prop_map(|(at, piece)| Edit::Insert(at, piece)),
        2 => (any::<usize>(), 1..20usize).prop_map(|(at, n)| Edit::Remove(at, n)),
        1 => (any::<usize>(), 1..40usize).prop_map(|(at, n)| Edit::Repeat(at, n)),
    ]
}

fn apply(text: &str, edits: &[Edit]) -> String {
    let mut chars: Vec<char> = text.chars().collect();
    for edit in edits {
        let length = chars.len();
        let range = |at: usize, n: usize| {
            let start = at % (length + 1);
            start..(start + n).min(length)
        };
        match *edit {
            Edit::Insert(at, piece) => drop(chars.splice(range(at, 0), piece.chars())),
            Edit::Remove(at, n) => drop(chars.drain(range(at, n))),
            Edit::Repeat(at, n) => {
                let copy = chars[range(at, n)].to_vec();
                chars.splice(range(at, 0), copy);
            }
        }
    }
    chars.into_iter().collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn mutated_files_never_panic(
        seed in prop::sample::select(seeds()),
        edits in prop::collection::vec(edit(), 1..12),
    ) {
        let text = apply(&seed, &edits);
        let loaded = load(text);
        for diagnostic in &loaded.diagnostics {
            // Every place lies in its file.
            loaded.sources.text(diagnostic.at);
            for related in &diagnostic.related {
                loaded.sources.text(related.at);
            }
        }
    }

    #[test]
    fn any_text_never_panics(text in any::<String>()) {
        load(text.clone());
        load(attribute(&format!("<<{text}>>")));
    }
}
