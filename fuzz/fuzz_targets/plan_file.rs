#![no_main]

#[path = "../../tests/fuzzed/plan_file.rs"]
mod plan_file;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| plan_file::run(bytes));
