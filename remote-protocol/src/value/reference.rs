//! References in serde types, which knows nothing of them.

use std::fmt;

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{Error, Unexpected, Visitor},
};

use crate::value::Value;

/// The name of the newtype struct that is a reference: the number of its kind and its index, as a tuple.
///
/// In a [`Value`] it becomes a value of that kind, anywhere else it is the tuple. [`Reference`] does all of this.
pub const REFERENCE: &str = "$remote::reference";

/// What stands for an object, a function or a buffer inside of a payload: its place in the payload's list of references.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Reference {
    /// What it refers to.
    pub kind: ReferenceKind,
    /// Its place in the list of references.
    pub index: u32,
}

/// What a reference refers to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ReferenceKind {
    /// An object.
    Object,
    /// A function.
    Function,
    /// A buffer.
    Buffer,
}

impl ReferenceKind {
    pub(crate) const fn number(self) -> u8 {
        match self {
            Self::Object => 0,
            Self::Function => 1,
            Self::Buffer => 2,
        }
    }

    pub(crate) fn from_number<E: Error>(number: u8) -> Result<Self, E> {
        Ok(match number {
            0 => Self::Object,
            1 => Self::Function,
            2 => Self::Buffer,
            other => {
                return Err(E::invalid_value(Unexpected::Unsigned(other.into()), &"a kind of reference"));
            }
        })
    }
}

impl From<Reference> for Value {
    fn from(reference: Reference) -> Self {
        match reference.kind {
            ReferenceKind::Object => Self::Object(reference.index),
            ReferenceKind::Function => Self::Function(reference.index),
            ReferenceKind::Buffer => Self::Buffer(reference.index),
        }
    }
}

impl Serialize for Reference {
    #[inline]
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_newtype_struct(REFERENCE, &(self.kind.number(), self.index))
    }
}

impl<'de> Deserialize<'de> for Reference {
    #[inline]
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_newtype_struct(REFERENCE, ReferenceVisitor)
    }
}

struct ReferenceVisitor;

impl<'de> Visitor<'de> for ReferenceVisitor {
    type Value = Reference;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a reference")
    }

    #[inline]
    fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<Reference, D::Error> {
        let (number, index) = <(u8, u32)>::deserialize(deserializer)?;
        Ok(Reference { kind: ReferenceKind::from_number(number)?, index })
    }
}
