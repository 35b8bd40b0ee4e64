//! Any text as a scenario file: loaded, with every mistake at a place inside the text.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tracegen::language::load_texts;

fuzz_target!(|text: &str| {
    let loaded = load_texts(vec![("fuzz.yaml".into(), text.into())]);
    for diagnostic in &loaded.diagnostics {
        let file = loaded.sources.file(diagnostic.at.file);
        assert!(file.text.get(diagnostic.at.range()).is_some(), "{diagnostic:?} is not in the text");
    }
});
