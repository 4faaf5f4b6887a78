//! What a child can do that means harm: the parent lives, and so do the others.
//!
//! The number in a test's name is that of its group, see `docs/hostile.md`. What all of them have in common is in [`siege`].

mod log;
mod siege;

mod calls;
#[cfg(target_os = "linux")]
mod cycles;
mod handles;
mod messages;
mod panics;
mod records;
mod references;
mod ring;
mod scarcity;
mod silence;
mod starting;
mod steps;
mod violations;
