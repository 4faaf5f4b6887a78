//! Links between processes over ipc-channel; run on Linux only so far.
//!
//! The parent makes a [`Server`], starts a child and tells it the server's address; the child calls [`connect`], and
//! the parent gets its end from [`Acceptance::wait`].
//!
//! # Threads
//!
//! Whoever waits for a record receives, also what is for others who wait, and hands that on; where nobody does for some milliseconds,
//! `remote-pump` does, and it is what ends a wait at its deadline. The handlers run on the thread that receives. Sending blocks while
//! the peer does not read; so what is short is sent at once, as long as the peer has read nearly everything, which each message says of
//! the other direction, and all else by `remote-writer`. `remote-watch` waits for the peer to be gone. While a server listens
//! there is also `remote-accept`.
//!
//! None is ever joined. When an end closes, it drops the sender of a channel that is there for nothing else, which ends the peer's watch,
//! which closes the peer's end, which ends this end's watch. A peer that was killed does the same; only one that neither reads nor dies
//! keeps the writer and the watch.
//!
//! # Trust
//!
//! ipc-channel believes what the sender of a message says about it, so this transport is for children that may
//! crash or hang, but do not attack. A message is received whole before it can be refused, and a first
//! message made to deceive can panic the accepting thread, which [`AcceptError::Malformed`] reports.

mod link;
pub use self::link::IpcLink;

mod server;
pub use self::server::{AcceptError, Acceptance, Server};

mod connect;
pub use self::connect::{ConnectError, Reached, connect, reach};

mod bootstrap;
mod header;
mod nudge;
mod outbox;
mod reading;
mod release;
mod turns;

#[cfg(test)]
mod tests;
