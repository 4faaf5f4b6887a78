//! Links between processes over ipc-channel; run on Linux only so far.
//!
//! The parent makes a [`Server`], starts a child and tells it the server's address; the child calls [`connect`], and
//! the parent gets its end from [`Acceptance::wait`].
//!
//! # Threads
//!
//! Each end has two. `remote-pump` blocks in receiving and sorts records into lanes; the
//! [`on_lane`](remote_protocol::link::Link::on_lane) handler runs on it. Sending blocks while the peer does not read;
//! so what is short is sent at once as long as the peer has read nearly everything, which each message says of the other direction, and
//! all else by `remote-writer`. While a server listens there is also `remote-accept`.
//! None is ever joined. When an end closes, its writer ends and with it the sending end of its channel, which ends the
//! peer's pump, which closes the peer's end, whose writer ends this end's pump. A peer that was killed does
//! the same; only one that neither reads nor dies keeps the threads.
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
pub use self::connect::{ConnectError, connect};

mod bootstrap;
mod header;
mod outbox;
mod pump;
mod release;

#[cfg(test)]
mod tests;
