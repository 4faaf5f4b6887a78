//! The two state machines: what each side decides from what the other says. No I/O: a driver feeds them decoded messages
//! and sends what they give out.
//!
//! Commands give back the message to send, borrowed from what they were given, so that the common case copies nothing. What
//! had to be held back is given out by `poll` until it gives `None`, before anything else is sent.

pub mod child;
pub mod parent;

mod violation;

pub use violation::Violation;

#[cfg(test)]
mod tests;
