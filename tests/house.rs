//! The house stays as drawn: a wing imports only what the table allows, whatever is written for tests aside.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Each wing of `src/lib.rs`, and the others it may name.
const TABLE: &[(&str, &[&str])] = &[
    ("clock", &[]),
    ("disk", &[]),
    ("text", &[]),
    ("language", &["text"]),
    ("plan", &[]),
    ("compiler", &["language", "plan"]),
    ("trace", &["plan"]),
    ("interpreter", &["plan", "trace"]),
    ("export", &["clock", "disk", "text", "plan", "trace"]),
    ("explain", &["plan", "trace", "interpreter", "export"]),
    ("seats", &[]),
    ("otlp", &[]),
    ("receive", &["clock", "seats", "otlp"]),
    ("store", &["clock", "plan", "trace"]),
    ("engine", &["clock", "disk", "plan", "trace", "interpreter", "export", "store"]),
    ("telemetry", &["clock", "trace", "export", "store", "engine"]),
    ("verify", &["clock", "plan", "trace", "interpreter", "export", "otlp", "store", "engine"]),
    (
        "web",
        &[
            "clock",
            "text",
            "language",
            "plan",
            "compiler",
            "trace",
            "interpreter",
            "export",
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
            "interpreter",
            "export",
            "explain",
            "receive",
            "store",
            "verify",
            "engine",
            "telemetry",
            "web",
        ],
    ),
];

#[test]
fn a_wing_imports_only_what_the_table_allows() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut broken = vec![];
    let mut seen = BTreeSet::new();
    for path in rust_files(&root) {
        let inside = path.strip_prefix(&root).unwrap();
        let module = module_of(inside);
        let Some(wing) = module.first().cloned() else { continue };
        let Some((_, allowed)) = TABLE.iter().find(|(name, _)| *name == wing) else {
            panic!("src/{}: `{wing}` is not in the table of wings", inside.display());
        };
        for (line, named) in wings_named(&fs::read_to_string(&path).unwrap(), &module) {
            if named != wing && !allowed.contains(&named.as_str()) {
                broken.push(format!("src/{}:{line}: `{wing}` must not import `{named}`", inside.display()));
            }
        }
        seen.insert(wing);
    }
    assert!(seen.contains("plan") && seen.contains("language") && seen.contains("trace"), "found only {seen:?}");
    assert!(broken.is_empty(), "\n{}", broken.join("\n"));
}

/// A macro that prints ends the process where it can't: on a full disk, or to a terminal that has gone.
#[test]
fn only_one_place_prints() {
    const PRINTING: [&str; 5] = ["print", "println", "eprint", "eprintln", "dbg"];
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = vec![];
    for path in rust_files(&root) {
        let tokens = tokens(&fs::read_to_string(&path).unwrap());
        for pair in tokens.windows(2).filter(|pair| PRINTING.contains(&&*pair[0].1) && pair[1].1 == "!") {
            found.push(format!("{}:{}: {}!", path.display(), pair[0].0, pair[0].1));
        }
    }
    assert!(found.is_empty(), "say it by `cli::output`:\n{}", found.join("\n"));
}

/// Whole test files are named by a `#[cfg(test)] mod x;`, and are left out as such modules written in place are.
fn rust_files(dir: &Path) -> Vec<PathBuf> {
    let mut files = vec![];
    let mut dirs = vec![dir.to_path_buf()];
    while let Some(dir) = dirs.pop() {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                dirs.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                files.push(path);
            }
        }
    }
    let only_tests: BTreeSet<PathBuf> = files
        .iter()
        .flat_map(|path| {
            let below = path.with_extension("");
            let text = fs::read_to_string(path).unwrap();
            test_files(&text).into_iter().map(move |name| below.join(name))
        })
        .collect();
    files.retain(|path| !path.ancestors().any(|p| only_tests.contains(&p.with_extension(""))));
    files.sort();
    files
}

/// `plan/verify/flow.rs` is module plan::verify::flow; the crate's own root has no names.
fn module_of(file: &Path) -> Vec<String> {
    let names: Vec<String> = file.with_extension("").iter().map(|n| n.to_str().unwrap().to_string()).collect();
    if names == ["lib"] || names == ["main"] { vec![] } else { names }
}

/// The text's words and marks with their lines, comments and literals left out.
fn tokens(text: &str) -> Vec<(usize, String)> {
    let (mut tokens, mut line, mut at) = (vec![], 1, 0);
    let bytes = text.as_bytes();
    let is_word = |b: u8| b == b'_' || b.is_ascii_alphanumeric() || b >= 128;
    while at < bytes.len() {
        let rest = &text[at..];
        let end = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            block_comment(rest)
        } else if let Some(len) = literal(rest) {
            len
        } else if is_word(bytes[at]) {
            let len = rest.bytes().take_while(|b| is_word(*b)).count();
            tokens.push((line, rest[..len].to_string()));
            len
        } else {
            let mark = if rest.starts_with("::") { 2 } else { 1 };
            if !bytes[at].is_ascii_whitespace() {
                tokens.push((line, rest[..mark].to_string()));
            }
            mark
        };
        line += rest[..end].matches('\n').count();
        at += end;
    }
    tokens
}

fn block_comment(text: &str) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < text.len() {
        match &text.as_bytes()[at..] {
            [b'/', b'*', ..] => (depth, at) = (depth + 1, at + 2),
            [b'*', b'/', ..] => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            return at;
        }
    }
    text.len()
}

/// The length of a string, raw string or character at the text's beginning. A lifetime is none.
fn literal(text: &str) -> Option<usize> {
    let prefixed = ["br", "cr", "r", "b", "c", ""].into_iter().find_map(|p| Some((p, text.strip_prefix(p)?)));
    let raw = ["br", "cr", "r"].into_iter().find_map(|p| text.strip_prefix(p).map(|rest| (p.len(), rest)));
    if let Some((prefix, rest)) = raw {
        let hashes = rest.bytes().take_while(|b| *b == b'#').count();
        if rest[hashes..].starts_with('"') {
            let close = format!("\"{}", "#".repeat(hashes));
            let open = prefix + hashes + 1;
            return Some(text[open..].find(&close).map_or(text.len(), |at| open + at + close.len()));
        }
    }
    let (prefix, rest) = prefixed.filter(|(_, rest)| rest.starts_with(['"', '\''])).unwrap_or(("", text));
    let quote = rest.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    let body = &rest[1..];
    if quote == '\'' && !body.starts_with('\\') && body.chars().nth(1) != Some('\'') {
        return None;
    }
    let mut escaped = false;
    for (at, c) in body.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            c if c == quote => return Some(prefix.len() + 1 + at + 1),
            _ => {}
        }
    }
    Some(text.len())
}

/// Where the item that begins at `at` ends: behind its `;` or its braces.
fn item_end(tokens: &[(usize, String)], mut at: usize) -> usize {
    let mut depth = 0_usize;
    while at < tokens.len() {
        match tokens[at].1.as_str() {
            "{" | "(" | "[" => depth += 1,
            ")" | "]" => depth = depth.saturating_sub(1),
            "}" => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return at + 1;
                }
            }
            ";" if depth == 0 => return at + 1,
            _ => {}
        }
        at += 1;
    }
    at
}

const CFG_TEST: [&str; 7] = ["#", "[", "cfg", "(", "test", ")", "]"];

fn is_cfg_test(tokens: &[(usize, String)]) -> bool {
    tokens.len() >= CFG_TEST.len() && tokens.iter().zip(CFG_TEST).all(|((_, token), word)| token == word)
}

/// The files that `#[cfg(test)] mod x;` names.
fn test_files(text: &str) -> Vec<String> {
    let tokens = tokens(text);
    let tests = (0..tokens.len()).filter(|at| is_cfg_test(&tokens[*at..])).filter_map(|at| {
        let item = &tokens[at + CFG_TEST.len()..item_end(&tokens, at + CFG_TEST.len())];
        let name = item.iter().position(|(_, token)| token == "mod")? + 1;
        (item.get(name + 1)?.1 == ";").then(|| item[name].1.clone())
    });
    tests.collect()
}

/// The wings that a file of `module` names by way of the crate's root, with their lines; what is under `#[cfg(test)]` aside.
fn wings_named(text: &str, module: &[String]) -> Vec<(usize, String)> {
    let all = tokens(text);
    let mut code: Vec<(usize, String)> = vec![];
    let mut at = 0;
    while at < all.len() {
        if is_cfg_test(&all[at..]) {
            at = item_end(&all, at + CFG_TEST.len());
        } else {
            code.push(all[at].clone());
            at += 1;
        }
    }
    let mut found = vec![];
    // How many modules are open in place, for `super`: braces that follow `mod x`.
    let mut open: Vec<bool> = vec![];
    let word = |at: usize| code.get(at).map_or("", |(_, token)| token.as_str());
    let mut at = 0;
    while at < code.len() {
        match word(at) {
            "{" => open.push(at >= 2 && word(at - 2) == "mod"),
            "}" => drop(open.pop()),
            // The head of a path only.
            "crate" | "tracegen" | "super" if at == 0 || word(at - 1) != "::" => {
                let mut next = at + 1;
                let root = if word(at) == "super" {
                    let mut ups = 1;
                    while word(next) == "::" && word(next + 1) == "super" {
                        (ups, next) = (ups + 1, next + 2);
                    }
                    ups >= module.len() + open.iter().filter(|inline| **inline).count()
                } else {
                    true
                };
                if root && word(next) == "::" {
                    heads(&code, next + 1, &mut found);
                }
            }
            _ => {}
        }
        at += 1;
    }
    found
}

/// The first words of the paths that begin at `at`: one, or those in braces.
fn heads(code: &[(usize, String)], at: usize, found: &mut Vec<(usize, String)>) {
    let Some((line, token)) = code.get(at) else { return };
    if token != "{" {
        found.push((*line, token.clone()));
        return;
    }
    let mut depth = 0;
    for (i, (line, token)) in code.iter().enumerate().skip(at) {
        match token.as_str() {
            "{" => depth += 1,
            "}" => depth -= 1,
            _ if depth == 1 && matches!(code[i - 1].1.as_str(), "{" | ",") => found.push((*line, token.clone())),
            _ => {}
        }
        if depth == 0 {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(text: &str, module: &str) -> Vec<String> {
        let module: Vec<String> = module.split("::").map(String::from).collect();
        wings_named(text, &module).into_iter().map(|(line, wing)| format!("{wing} {line}")).collect()
    }

    #[test]
    fn a_planted_import_is_found() {
        assert_eq!(named("use crate::export::Batch;", "plan"), ["export 1"]);
        assert_eq!(named("\nfn f() {\n let x = crate::cli::run(); }", "plan"), ["cli 3"]);
        assert_eq!(
            named("use crate::{plan::{Plan, id}, trace,\n engine::Engine as E};", "plan"),
            ["plan 1", "trace 1", "engine 2"]
        );
        assert_eq!(named("pub(in crate::plan) fn f(x: tracegen::web::Page) {}", "plan"), ["plan 1", "web 1"]);
    }

    #[test]
    fn super_is_followed_to_the_root() {
        assert_eq!(named("use super::export::Batch;", "plan"), ["export 1"]);
        assert_eq!(named("use super::file::digest;", "plan::verify"), Vec::<String>::new());
        assert_eq!(named("use super::super::super::cli;", "plan::verify::flow"), ["cli 1"]);
        assert_eq!(named("mod inner { use super::file; use super::super::engine::x; }", "plan"), ["engine 1"]);
    }

    #[test]
    fn comments_literals_and_tests_name_nothing() {
        for text in [
            "// use crate::cli;",
            "/* /* crate::cli */ crate::cli */",
            "const A: &str = \"crate::cli \\\" crate::cli\";",
            "const A: &str = r#\"crate::cli \" crate::cli\"#;",
            "#[cfg(test)]\nmod tests { use crate::cli; fn f() { crate::cli::x(); } }",
            "#[cfg(test)]\nuse crate::cli;",
            "const C: char = '\"'; // crate::cli \"",
        ] {
            assert_eq!(named(text, "plan"), Vec::<String>::new(), "{text}");
        }
        let after = "fn f<'a>(x: &'a str) -> char { '\\'' }\n#[cfg(test)]\nmod tests { }\nuse crate::cli;";
        assert_eq!(named(after, "plan"), ["cli 4"]);
    }

    #[test]
    fn files_of_tests_are_known() {
        assert_eq!(
            test_files("#[cfg(test)]\nmod tests;\nmod x;\n#[cfg(test)]\npub(crate) mod fixture;"),
            ["tests", "fixture"]
        );
    }
}
