//! The parent's side of a multi-process application.
//!
//! A [`Parent`] starts child processes, loads modules into all of them and talks to them through ports.
//! [`Parent::processes`] are its processes, the main process among them; [`Parent::frames`] are documents, tabs,
//! plug-ins or jobs inside them. Each process and each frame has a [`Port`], and so has each of the two lists. What runs in the children is
//! in the crate `remote-child`.
//!
//! ```no_run
//! use remote_parent::{Parent, this_module};
//!
//! fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     remote_child::init(); // in a child process: runs it and never returns
//!     let parent = Parent::new()?;
//!     parent.remote_require("./remote", this_module!())?;
//!     parent.processes().port().on("echo", |process, text: String| println!("{}: {text}", process.id()));
//!     let process = parent.processes().spawn()?;
//!     process.port().emit("greeting", "hello")?;
//!     Ok(parent.close()?) // children handle what was sent, then end
//! }
//! ```
//!
//! Listeners run on a thread per child, or on the parent's [executor](ParentOptions::executor): those for one child one at a time and in the order things were sent, those for different
//! children possibly at once. Sending never blocks.
#![forbid(unsafe_code)]

mod loader;
mod parent;

mod frame;
mod list;
mod port;
mod process;

mod options;
mod pump;
mod restart;
mod sandbox;
mod spawn;

mod connection;
mod detach;
mod driver;
mod hub;
mod lane;
mod log;
mod snapshot;
mod watchdog;

pub use crate::detach::DetachReason;
pub use crate::frame::{Frame, FrameOptions, OpenError};
pub use crate::list::{Frames, Processes};
pub use crate::loader::Loader;
pub use crate::options::{Deadlines, Executor, ParentOptions, ProcessOptions, Restart, Stream, Task, Transport};
pub use crate::parent::{AlreadyServed, CloseError, NewError, Parent, ParentClosed};
pub use crate::port::{EmitError, Port, Subject};
pub use crate::process::{LastHeard, Process, ProcessError, Streams};
pub use crate::sandbox::SandboxError;
pub use crate::snapshot::{FrameSnapshot, GoneSnapshot, LoaderSnapshot, ProcessSnapshot, Snapshot};
pub use crate::spawn::StartError;
pub use remote_protocol::event::{Event, EventKey, PayloadError};
pub use remote_protocol::id::{FrameId, ProcessId};
pub use remote_protocol::limits::Limits;
pub use remote_protocol::listeners::ListenerId;
pub use remote_protocol::message::{Trouble, Versions};
pub use remote_protocol::module::{ModulePath, ResolveError};
pub use remote_protocol::sandbox::{Layer, Report as SandboxReport, Sandbox, State as LayerState};
pub use remote_protocol::state::Violation;

/// The [`ModulePath`] of the module it is used in.
#[macro_export]
macro_rules! this_module {
    () => {
        $crate::ModulePath::new(::core::module_path!())
    };
}
