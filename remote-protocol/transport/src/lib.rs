//! Links between a parent and its child processes.
//!
//! A [`Link`] is one end of the connection; its [`Lane`]s carry records in order, both ways. All kinds of link here
//! keep the same contract, which stands with the trait:
//!
//! - [`memory`] joins two ends inside one process, without threads, and can be told to fail.
//! - [`ipc`] joins two processes over ipc-channel; run on Linux only so far. It survives a child that crashes, but trusts
//!   what the child sends while the link is made.
//! - `lane`, on Linux, joins two processes over shared memory, and trusts nothing of what the child writes.
//!
//! Sending never blocks on any; receiving blocks until its deadline. What arrived and was not received yet is
//! bounded by [`INBOX_BYTES`].
//!
//! ```
//! use std::time::{Duration, Instant};
//!
//! use remote_protocol::id::LaneId;
//! use remote_protocol::link::{Closure, Link, Received};
//! use remote_transport::memory::{self, Faults};
//!
//! let (parent, child) = memory::pair(Faults::none());
//! let mut parent_main = parent.open(LaneId::MAIN)?;
//! let mut child_main = child.open(LaneId::MAIN)?;
//! let mut record = Vec::new();
//!
//! parent_main.tx.send(b"ping")?;
//! assert_eq!(child_main.rx.recv(&mut record, None), Received::Record);
//! assert_eq!(record, b"ping");
//!
//! let soon = Instant::now() + Duration::from_millis(1);
//! assert_eq!(child_main.rx.recv(&mut record, Some(soon)), Received::TimedOut);
//!
//! child_main.tx.send(b"bye")?;
//! child.close();
//! assert_eq!(parent_main.rx.recv(&mut record, None), Received::Record);
//! assert_eq!(parent_main.rx.recv(&mut record, None), Received::Closed(Closure::Ended));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! [`Link`]: remote_protocol::link::Link
//! [`Lane`]: remote_protocol::link::Lane

#![deny(unsafe_code)]

pub mod memory;

pub mod ipc;

#[cfg(target_os = "linux")]
pub mod lane;

mod handlers;
mod inbox;
mod lock;
mod spare;

pub use crate::inbox::INBOX_BYTES;
