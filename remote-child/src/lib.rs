//! The child's side of a multi-process application.
//!
//! A program calls [`init`] first thing in `main`. In a process that a parent started, it never returns: the process
//! becomes a child, whose main thread runs an event loop. The parent loads [modules](register_module) into it, functions that are given a
//! [`Child`] and from there reach everything: [`Child::process`] and its port, [`Child::frames`] and theirs.
//! Everything a child's code registers runs on the loop thread, one at a time, so it may hold `Rc`s.
//!
//! ```
//! use remote_child::Child;
//!
//! remote_child::register_module!(main);
//! pub fn main(child: &Child) -> Result<(), remote_child::EmitError> {
//!     let process = child.process();
//!     process.port().on("greeting", |process, text: String| {
//!         process.port().emit("echo", &text).ok();
//!     });
//!     child.frames().for_every(|frame| frame.set_content(String::from("an empty page")));
//!     process.port().emit("ready", &())
//! }
//!
//! // In `main`; here, in the parent, it does nothing.
//! remote_child::init();
//! ```
//!
//! A module exists only in executables that its crate is linked into, and a dependency that nobody mentions is not
//! linked: say `use my_modules as _;` in the `main.rs` of the child.
#![forbid(unsafe_code)]

mod child;
mod connect;
mod frame;
mod list;
mod loader;
mod module;
mod port;
mod process;

mod core;
mod driver;
mod duty;
mod extensions;
mod lanes;
mod nesting;

#[cfg(target_os = "linux")]
mod inherited;
#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
mod lockdown;
#[cfg(not(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64"))))]
#[path = "lockdown/elsewhere.rs"]
mod lockdown;

pub use crate::child::{Child, Handle, LoopEnded, NestError, UnloadReason};
pub use crate::connect::{CHILD_ARGUMENT, Init, exit, init, is_child, is_initialised};
pub use crate::driver::{Ended, Host, HostShared, run};
pub use crate::duty::Duty;
pub use crate::frame::{Capture, ContentEvent, ContentListenerId, Frame, FrameOptions};
pub use crate::list::Frames;
pub use crate::module::{Module, ModuleFunction, Outcome};
pub use crate::port::{EmitError, Port, Subject};
pub use crate::process::Process;
pub use remote_protocol::event::{Event, EventKey, PayloadError};
pub use remote_protocol::id::{FrameId, LoaderId, ProcessId};
pub use remote_protocol::listeners::ListenerId;
pub use remote_protocol::{message::Versions, state::Violation, state::child::TooManyFrames, value::Value};

#[doc(hidden)]
pub mod __private {
    pub use inventory;
}
