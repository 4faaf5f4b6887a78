//! Looking into a value without a type for it.

use crate::value::{Reference, ReferenceKind, Value};

impl Value {
    /// Whether it is null.
    #[must_use]
    pub const fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// The boolean that it is.
    #[must_use]
    pub const fn as_bool(&self) -> Option<bool> {
        match self {
            Self::Bool(value) => Some(*value),
            _ => None,
        }
    }

    /// The integer that it is, if an `i64` can hold it.
    #[must_use]
    pub fn as_i64(&self) -> Option<i64> {
        match self {
            Self::I64(value) => Some(*value),
            Self::U64(value) => i64::try_from(*value).ok(),
            _ => None,
        }
    }

    /// The integer that it is, if a `u64` can hold it.
    #[must_use]
    pub fn as_u64(&self) -> Option<u64> {
        match self {
            Self::I64(value) => u64::try_from(*value).ok(),
            Self::U64(value) => Some(*value),
            _ => None,
        }
    }

    /// The number that it is, if it is a floating point number or an integer that is exactly one.
    #[must_use]
    pub fn as_f64(&self) -> Option<f64> {
        let (float, integer) = match self {
            Self::F64(value) => return Some(*value),
            Self::I64(value) => (*value as f64, i128::from(*value)),
            Self::U64(value) => (*value as f64, i128::from(*value)),
            _ => return None,
        };
        (float as i128 == integer).then_some(float)
    }

    /// The text that it is.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(value) => Some(value),
            _ => None,
        }
    }

    /// The bytes that it is.
    #[must_use]
    pub fn as_bytes(&self) -> Option<&[u8]> {
        match self {
            Self::Bytes(value) => Some(value),
            Self::List(value) if value.is_empty() => Some(&[]),
            _ => None,
        }
    }

    /// The elements of the list that it is. A list that was made of `u8` only is bytes, not a list.
    #[must_use]
    pub fn as_list(&self) -> Option<&[Self]> {
        match self {
            Self::List(value) => Some(value),
            Self::Bytes(value) if value.is_empty() => Some(&[]),
            _ => None,
        }
    }

    /// The entries of the map that it is.
    #[must_use]
    pub fn as_map(&self) -> Option<&[(String, Self)]> {
        match self {
            Self::Map(value) => Some(value),
            _ => None,
        }
    }

    /// The value of this key, if it is a map that has it; the first one if there are several.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Self> {
        self.as_map()?.iter().find(|(name, _)| name == key).map(|(_, value)| value)
    }

    /// The reference that it is: an object, a function or a buffer.
    #[must_use]
    pub const fn as_reference(&self) -> Option<Reference> {
        let (kind, index) = match self {
            Self::Object(index) => (ReferenceKind::Object, *index),
            Self::Function(index) => (ReferenceKind::Function, *index),
            Self::Buffer(index) => (ReferenceKind::Buffer, *index),
            _ => return None,
        };
        Some(Reference { kind, index })
    }
}
