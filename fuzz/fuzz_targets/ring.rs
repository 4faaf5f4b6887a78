#![no_main]

#[path = "../../remote-protocol/transport/src/lane"]
mod lane {
    pub(super) mod ring;
    #[path = "ring/tests/scripted.rs"]
    pub(super) mod scripted;
    pub(super) mod word;
}

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    lane::scripted::ring(bytes);
});
