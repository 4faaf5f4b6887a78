//! Values whose type only the data says: the arguments of events and calls that are named by a string.
//!
//! [`Value::from_serialize`] takes any serde type, [`Value::to`] gives it back. A value keeps what it was given: numbers, text
//! and bytes arrive as they were, and a number becomes another type only if nothing is lost.

use serde::{Deserialize, Serialize};

mod access;
mod de;
mod display;
mod entries;
mod error;
mod from;
mod key;
mod literal;
mod reference;
mod ser;
#[cfg(test)]
mod tests;

#[doc(inline)]
pub use crate::__value as value;
pub use error::{ErrorValue, ValueError};
#[doc(hidden)]
pub use literal::of;
pub use reference::{REFERENCE, Reference, ReferenceKind};

/// A value that describes itself.
///
/// What refers to something else holds an index into the list of references that travels with the value.
///
/// Integers are equal if they are the same number, and maps if they have the same entries in any order.
// The name is how the value's own serializer and deserializer know a value inside of another.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename = "$remote::value")]
#[non_exhaustive]
pub enum Value {
    /// Nothing: a unit, or an option that is not there.
    #[default]
    Null,
    /// True or false.
    Bool(bool),
    /// An integer; what makes values stores all that fit into an `i64` as one.
    I64(i64),
    /// An integer beyond the largest `i64`.
    U64(u64),
    /// A floating point number, with its sign, and whatever its NaN is.
    F64(f64),
    /// Text.
    String(String),
    /// Bytes, and every list that was made of `u8` only.
    Bytes(#[serde(with = "crate::codec::bytes")] Vec<u8>),
    /// A list, a tuple or an array.
    List(Vec<Self>),
    /// A map or a struct, its entries in the order in which they were given.
    Map(#[serde(with = "entries")] Vec<(String, Self)>),
    /// The index of an object.
    Object(u32),
    /// The index of a function.
    Function(u32),
    /// The index of a buffer.
    Buffer(u32),
    /// What went wrong elsewhere.
    Error(Box<ErrorValue>),
}

impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Null, Self::Null) => true,
            (Self::Bool(a), Self::Bool(b)) => a == b,
            (Self::I64(a), Self::I64(b)) => a == b,
            (Self::U64(a), Self::U64(b)) => a == b,
            (Self::I64(a), Self::U64(b)) | (Self::U64(b), Self::I64(a)) => u64::try_from(*a) == Ok(*b),
            (Self::F64(a), Self::F64(b)) => a == b,
            (Self::String(a), Self::String(b)) => a == b,
            (Self::Bytes(a), Self::Bytes(b)) => a == b,
            (Self::List(a), Self::List(b)) => a == b,
            (Self::Map(a), Self::Map(b)) => same_entries(a, b),
            (Self::Object(a), Self::Object(b))
            | (Self::Function(a), Self::Function(b))
            | (Self::Buffer(a), Self::Buffer(b)) => a == b,
            (Self::Error(a), Self::Error(b)) => a == b,
            _ => false,
        }
    }
}

fn same_entries(a: &[(String, Value)], b: &[(String, Value)]) -> bool {
    if a.len() == b.len() && a.iter().zip(b).all(|((a, _), (b, _))| a == b) {
        return a.iter().zip(b).all(|((_, a), (_, b))| a == b);
    }
    sorted(a) == sorted(b)
}

fn sorted(entries: &[(String, Value)]) -> Vec<&(String, Value)> {
    let mut entries: Vec<_> = entries.iter().collect();
    entries.sort_by(|(a, _), (b, _)| a.cmp(b));
    entries
}

/// How a value inside of another value is known.
const VALUE: &str = "$remote::value";
