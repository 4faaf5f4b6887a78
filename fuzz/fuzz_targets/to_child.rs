#![no_main]

#[path = "../../remote-protocol/tests/it/bodies.rs"]
mod bodies;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    bodies::to_child(bytes);
});
