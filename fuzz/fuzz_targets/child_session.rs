#![no_main]

#[path = "../../remote-protocol/tests/it/bodies/child_session.rs"]
mod child_session;
#[path = "../../remote-protocol/tests/it/bodies/steps.rs"]
mod steps;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    child_session::child_session(bytes);
});
