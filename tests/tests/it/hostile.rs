//! What a child can do that means harm: the parent lives, and so do the others.
//!
//! The number in a test's name is that of its group, see `docs/hostile.md`. What all of them have in common is in [`siege`].

mod siege;

mod records;
mod ring;
mod starting;
