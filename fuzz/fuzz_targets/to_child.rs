#![no_main]

#[path = "../../remote-protocol/tests/it/bodies/messages.rs"]
mod messages;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    messages::to_child(bytes);
});
