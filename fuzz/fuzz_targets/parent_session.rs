#![no_main]

#[path = "../../remote-protocol/tests/it/bodies/parent_session.rs"]
mod parent_session;
#[path = "../../remote-protocol/tests/it/bodies/steps.rs"]
mod steps;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    parent_session::parent_session(bytes);
});
