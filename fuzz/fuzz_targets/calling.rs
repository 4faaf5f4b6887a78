#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let _ = remote_object::fuzz::calling(bytes);
});
