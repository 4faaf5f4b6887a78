//! How everything that crosses a process boundary becomes bytes, and how bytes that cannot be trusted become values.
//!
//! [`encode`] and [`decode`] keep the same two rules, so that what cannot be read is already an error where it is sent:
//!
//! - **Depth.** A list, a map, a present option and an enum variant are one level each while inside of them; tuples and
//!   structs are none. There are at most [`LEVELS`] of them. A type that contains itself and has values must do so
//!   through one of these, so the stack is bounded for every type.
//! - **Elements.** Every element of a list and every entry of a map costs one, and there are no more than encoded bytes.
//!   So a list of units cannot be conjured from a number, and nothing is reserved by a length that was only announced.
//!
//! The encoding is [postcard](https://postcard.jamesmunns.com/wire-format)'s, which is not self-describing: both sides have
//! to agree on the types. This is the only module that names it.

use crate::limits;

pub(crate) mod bytes;
mod decode;
mod encode;
pub(crate) mod reason;
#[cfg(test)]
mod tests;

mod first;

pub use bytes::{ByteBuf, Bytes, CowBytes};
pub use decode::{DecodeError, decode};
pub use encode::{EncodeError, encode};
pub(crate) use first::first;

/// The deepest nesting of lists, maps, present options and enum variants.
///
/// A list in a [`Value`](crate::value::Value) is two levels, the variant and the list in it, and the innermost value is one
/// more: so values may nest [`limits::DEPTH`] deep, and no deeper.
pub const LEVELS: u32 = 2 * limits::DEPTH + 1;
