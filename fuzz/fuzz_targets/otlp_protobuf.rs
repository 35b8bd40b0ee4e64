#![no_main]

#[path = "../../tests/fuzzed/otlp_protobuf.rs"]
mod otlp_protobuf;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| otlp_protobuf::run(bytes));
