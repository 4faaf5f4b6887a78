//! What the tests and the programs they start have in common: the modules that run in the children, and the objects they use.
#![forbid(unsafe_code)]
#![allow(missing_docs, missing_debug_implementations, reason = "only the tests read it")]

pub mod bodies;
pub mod buffers;
pub mod dynamic;
pub mod gate;
pub mod held;
pub mod interfaces;
pub mod mill;
pub mod modules;
pub mod objects;
pub mod prepared;
pub mod puppet;
pub mod raw;
pub mod samples;
pub mod shapes;
#[cfg(target_os = "linux")]
pub mod switchboard;
