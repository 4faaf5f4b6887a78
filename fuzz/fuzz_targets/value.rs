#![no_main]

#[path = "../../remote-protocol/tests/it/bodies/value.rs"]
mod value;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    value::value(bytes);
});
