//! Synchronous remote objects: a child calls objects that live in the parent as if they were local, and hands them callbacks.
//!
//! An [`interface`] is a trait that both sides share. The parent [exports](Exports) objects that implement it; a child
//! [asks](Context::require) for one and gets a [`Remote`], which derefs to the same trait, over a proxy whose methods are calls. Objects may be
//! passed both ways as `Remote<dyn Trait>`: one that comes back is the original. A [`Callback`] is a closure of the child that the
//! parent can call later, a [`Function`] one that it can call for its result. A [`RemoteBuffer`] is a handle to bytes that stay in the parent.
//! A method that takes long returns a [`Promise`], and neither side waits for it.
//!
//! A child asks the parent for an object and calls it; here the child is a thread, so that the example can run anywhere:
//!
//! ```standalone_crate
//! use std::sync::Arc;
//!
//! use remote_object::{CallError, Exports};
//! use remote_parent::{Parent, ProcessOptions, Transport, this_module};
//!
//! #[remote_object::interface]
//! pub trait Greeter: Send + Sync {
//!     fn greet(&self, name: &str) -> Result<String, CallError>;
//! }
//!
//! struct English;
//!
//! impl Greeter for English {
//!     fn greet(&self, name: &str) -> Result<String, CallError> {
//!         Ok(format!("Hello, {name}!"))
//!     }
//! }
//!
//! /// What runs in the child.
//! mod remote {
//!     use remote_child::Child;
//!     use remote_object::ChildExt;
//!
//!     use crate::Greeter;
//!
//!     remote_child::register_module!(main);
//!     fn main(child: &Child) -> Result<(), Box<dyn std::error::Error>> {
//!         let greeter = child.remote().require::<dyn Greeter>("greeter")?;
//!         child.process().port().emit("greeting", &greeter.greet("World")?)?;
//!         Ok(())
//!     }
//! }
//!
//! fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let parent = Parent::new()?;
//!     let exports = Exports::new();
//!     exports.module::<dyn Greeter>("greeter", Arc::new(English))?;
//!     exports.serve(&parent)?;
//!
//!     let (heard, greetings) = std::sync::mpsc::channel();
//!     parent.processes().port().on("greeting", move |_process, text: String| drop(heard.send(text)));
//!     parent.remote_require("./remote", this_module!())?;
//!     parent.processes().spawn_with(ProcessOptions::new().transport(Transport::Memory))?;
//!     assert_eq!(greetings.recv()?, "Hello, World!"); // from the main process
//!     assert_eq!(greetings.recv()?, "Hello, World!"); // from the child
//!     Ok(parent.close()?)
//! }
//! ```
#![forbid(unsafe_code)]
#![cfg_attr(
    not(all(feature = "child", feature = "parent")),
    allow(dead_code, reason = "the core is whole, whichever sides are tied to it")
)]

#[cfg(any(test, feature = "__fuzz"))]
extern crate self as remote_object;

mod arguments;
mod dynamic;
mod dynamic_object;
mod interface;
mod invocation;
mod members;
mod methods;
mod proxy;
mod remote;
mod remote_value;
mod returns;

mod buffer;
mod callback;
mod exports;
mod function;
mod leaks;
mod listeners;
mod policy;
mod promise;

mod calling;
mod life;
mod object;
mod scope;
mod serving;
mod table;
mod waits;

#[cfg(feature = "child")]
mod child;
#[cfg(feature = "child")]
mod context;
#[cfg(feature = "parent")]
mod parent;

#[cfg(any(test, feature = "__fuzz"))]
#[doc(hidden)]
pub mod fuzz;

pub use crate::buffer::{BufferBuilder, BufferView, RemoteBuffer};
pub use crate::callback::{Callback, CallbackError};
#[cfg(feature = "child")]
pub use crate::child::{ChildExt, FrameExt};
#[cfg(feature = "child")]
pub use crate::context::Context;
pub use crate::dynamic::RemoteObject;
pub use crate::dynamic_object::{DynamicObject, MemberFn};
pub use crate::exports::{Alive, ExportError, Exports, NotServing};
pub use crate::function::Function;
pub use crate::interface::{FromCallError, Interface, Method, MethodError, MethodKind, MethodResult};
pub use crate::leaks::{CallbackLeaks, Leaks, ObjectLeaks, ProcessLeaks};
pub use crate::listeners::{Failed, Listeners, Told};
pub use crate::members::{Member, MemberKind, Members};
pub use crate::policy::{Access, AccessRecord, Decision, Replacement};
pub use crate::promise::{Promise, Reply};
#[cfg(feature = "async")]
pub use crate::promise::{Spawn, Task};
pub use crate::remote::Remote;
pub use crate::remote_value::RemoteValue;
#[doc = include_str!("interface.md")]
pub use remote_object_macros::interface;
pub use remote_protocol::call::{CallError, Report, Root};
pub use remote_protocol::value::{Value, value};

#[doc(hidden)]
pub mod __private {
    pub use std;

    pub use remote_protocol::codec::{Bytes, CowBytes};

    pub use crate::interface::{Interface, Method, MethodKind};
    pub use crate::invocation::{Described, Invocation};
    pub use crate::methods::{are_distinct, join};
    pub use crate::object::Upcast;
    pub use crate::proxy::{Proxy, TypedProxy, call};
    pub use crate::returns::{Returns, returns};
    pub use crate::scope::Holds;
}
