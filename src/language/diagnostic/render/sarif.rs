//! [SARIF 2.1.0](https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html), which code scanners read.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::place::{Place, Places};
use crate::language::diagnostic::{Diagnostic, Severity};
use crate::language::source::Sources;

/// Formats diagnostics as a SARIF log with one run, ending in a newline.
pub fn sarif(sources: &Sources, diagnostics: &[Diagnostic]) -> String {
    let mut places = Places::new(sources);
    let codes: BTreeSet<_> = diagnostics.iter().map(|diagnostic| diagnostic.problem.code()).collect();
    let rules: Vec<Value> = codes.iter().map(|code| json!({"id": code})).collect();
    let results: Vec<Value> = diagnostics.iter().map(|diagnostic| result(&mut places, diagnostic)).collect();
    let log = json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {"name": "tracegen", "version": env!("CARGO_PKG_VERSION"), "rules": rules}},
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    });
    format!("{log:#}\n")
}

fn result(places: &mut Places, diagnostic: &Diagnostic) -> Value {
    let problem = &diagnostic.problem;
    let text = match problem.help() {
        Some(help) => format!("{}; {help}", problem.message()),
        None => problem.message(),
    };
    let mut result = json!({
        "ruleId": problem.code(),
        "level": match diagnostic.severity() {
            Severity::Error => "error",
            Severity::Warning => "warning",
        },
        "message": {"text": text},
        "locations": [{"physicalLocation": location(&places.place(diagnostic.at))}],
    });
    if !diagnostic.related.is_empty() {
        let related = diagnostic.related.iter().map(|related| {
            json!({
                "physicalLocation": location(&places.place(related.at)),
                "message": {"text": related.role.label()},
            })
        });
        result["relatedLocations"] = related.collect();
    }
    result
}

fn location(place: &Place) -> Value {
    json!({
        "artifactLocation": {"uri": uri(place.file)},
        "region": {
            "startLine": place.line,
            "startColumn": place.column,
            "endLine": place.end_line,
            "endColumn": place.end_column,
        },
    })
}

/// Returns a path as a URI reference, in which all characters but unreserved ones are escaped.
fn uri(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    for b in path.bytes() {
        match b {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => out.push(b.into()),
            _ => out += &format!("%{b:02X}"),
        }
    }
    out
}
