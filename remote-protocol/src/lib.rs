//! What the two sides of a multi-process application agree on, and what each side decides from what the other says.
//!
//! What decides in here knows no process, thread, clock or socket. [`message`] has one enum of messages per direction, [`call`]
//! those that calls of remote objects are made of, [`codec`] turns them into bytes and back within fixed budgets, and
//! [`state`] has the two state machines, one per side. [`link`] is the trait a transport implements, [`service`] the
//! seam between a side and the objects it serves.
//!
//! Applications use the crates `remote-parent`, `remote-child` and `remote-object`; this one is for those who
//! write transports, tools or fuzzers.
//!
//! # Example
//!
//! Both state machines, in memory, through the real codec:
//!
//! ```
//! use remote_protocol::state::{child, parent};
//! use remote_protocol::{codec, id::ProcessId};
//!
//! let mut parent = parent::Session::new(ProcessId::new(7, 1), parent::Settings::default());
//! let mut child = child::Session::new(child::Settings::default());
//! let mut wire = Vec::new();
//!
//! // The child says hello …
//! child.greet(7);
//! codec::encode(&child.poll().expect("a hello"), &mut wire)?;
//! let parent::Received::Ready { .. } = parent.receive(codec::decode(&wire)?)? else { panic!("no hello") };
//!
//! // … and is welcomed.
//! wire.clear();
//! codec::encode(&parent.poll().expect("a welcome"), &mut wire)?;
//! let child::Received::Ready(welcome) = child.receive(codec::decode(&wire)?)? else { panic!("no welcome") };
//! assert_eq!(welcome.process, 7);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![forbid(unsafe_code)]
#![cfg_attr(not(test), warn(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic))]

pub mod id;
pub mod limits;

pub mod codec;
pub mod value;

pub mod call;
pub mod event;
pub mod message;
pub mod payload;
pub mod record;
mod short;

pub mod endpoint;
pub mod link;
pub mod service;

pub mod contain;
pub mod listeners;
pub mod module;
pub mod releases;
pub mod roster;
pub mod sandbox;
pub mod window;

pub mod state;
