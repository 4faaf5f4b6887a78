//! Links between processes over shared memory, on Linux.
//!
//! The parent makes a [`Server`], starts a child with what that gives, and takes its end; the child calls [`connect`].
//! Both map one file in memory that is as long as it is for ever, and the child one more, with the buffers that the parent lends it. In it each lane has two rings, one for each direction; a record is written into
//! one and copied out of it, without a thread or a system call between the two as long as both ends are awake.
//!
//! # Threads
//!
//! Each end has one, which runs its [`Watch`]: it sleeps until the peer ends, opens a lane, or makes room for what found none. The
//! [`on_lane`](remote_protocol::link::Link::on_lane) handler runs on it.
//!
//! # Trust
//!
//! The parent trusts nothing a child writes. Every word is read once and checked, and a record is copied before anybody looks at it, so the
//! most that a lying child gets is a record of its own making, a link that is closed for it, or a thread of its own lane kept busy with it.
//! The memory for buffers is the other way round: the parent writes it and never reads it.

/// What a child is told to reach its parent by; the rest is in its standard input. It is not the address of a
/// [`Server`](crate::ipc::Server) over ipc-channel.
pub const ADDRESS: &str = "shared-memory";

mod link;
pub use self::link::LaneLink;

mod server;
pub use self::server::Server;

mod connect;
pub use self::connect::{ConnectError, Reached, connect, pair, reach};

mod watch;
pub use self::watch::Watch;

mod end;
mod receiver;
mod sender;

mod backlog;
mod ring;
mod word;

mod bell;
mod cpu;
mod signal;

mod buffers;
mod places;

mod layout;
#[doc(hidden)]
pub use self::layout::{Offsets, offsets, step};

#[expect(unsafe_code, reason = "shared memory has to be mapped, and is then used as atomics")]
mod memory;

#[cfg(test)]
mod tests;
