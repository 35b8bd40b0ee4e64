#![no_main]

#[path = "../../tests/fuzzed/yaml.rs"]
mod yaml;

libfuzzer_sys::fuzz_target!(|text: &str| yaml::run(text));
