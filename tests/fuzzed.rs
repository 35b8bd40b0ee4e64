//! The functions of the fuzz targets in `fuzz`, run on the inputs kept in `fuzz/seeds`: samples, and everything that a
//! fuzzer has found.

mod fuzzed {
    pub mod manifest;
    pub mod otlp_json;
    pub mod otlp_protobuf;
    pub mod plan_file;
    pub mod template;
    pub mod yaml;
}

use std::fs;
use std::path::Path;

/// Runs a target on each of its kept inputs.
fn on_all(target: &str, run: impl Fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds").join(target);
    let mut inputs = 0;
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        eprintln!("{}", path.display());
        run(&fs::read(path).expect("a file"));
        inputs += 1;
    }
    assert!(inputs > 0, "{target} has no inputs");
}

/// Runs a target that takes text on each of its kept inputs, without those that are not UTF-8, as the fuzzer does.
fn on_texts(target: &str, run: impl Fn(&str)) {
    on_all(target, |bytes| {
        if let Ok(text) = std::str::from_utf8(bytes) {
            run(text);
        }
    });
}

#[test]
fn manifests() {
    on_all("manifest", fuzzed::manifest::run);
}

#[test]
fn otlp_in_json() {
    on_all("otlp_json", fuzzed::otlp_json::run);
}

#[test]
fn otlp_in_protobuf() {
    on_all("otlp_protobuf", fuzzed::otlp_protobuf::run);
}

#[test]
fn plan_files() {
    on_all("plan_file", fuzzed::plan_file::run);
}

#[test]
fn templates() {
    on_texts("template", fuzzed::template::run);
}

#[test]
fn scenario_files() {
    on_texts("yaml", fuzzed::yaml::run);
}
