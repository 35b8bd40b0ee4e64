#![no_main]

#[path = "../../tests/fuzzed/otlp_json.rs"]
mod otlp_json;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| otlp_json::run(bytes));
