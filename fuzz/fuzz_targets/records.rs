#![no_main]

#[path = "../../remote-protocol/tests/it/bodies/records.rs"]
mod records;
#[path = "../../remote-protocol/tests/it/bodies/steps.rs"]
mod steps;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    records::records(bytes);
});
