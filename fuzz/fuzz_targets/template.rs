#![no_main]

#[path = "../../tests/fuzzed/template.rs"]
mod template;

libfuzzer_sys::fuzz_target!(|text: &str| template::run(text));
