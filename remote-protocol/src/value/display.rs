//! Values in logs and errors: a few words, whatever a peer put into them.

use std::fmt;

use serde::de::Unexpected;

use crate::{
    codec::reason::{Found, Quoted},
    value::Value,
};

impl Value {
    /// What kind of value it is, as a noun with its article.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "a boolean",
            Self::I64(_) | Self::U64(_) => "an integer",
            Self::F64(_) => "a number",
            Self::String(_) => "a string",
            Self::Bytes(_) => "bytes",
            Self::List(_) => "a list",
            Self::Map(_) => "a map",
            Self::Object(_) => "an object",
            Self::Function(_) => "a function",
            Self::Buffer(_) => "a buffer",
            Self::Error(_) => "an error",
        }
    }

    pub(crate) fn unexpected(&self) -> Unexpected<'_> {
        match self {
            Self::Bool(value) => Unexpected::Bool(*value),
            Self::I64(value) => Unexpected::Signed(*value),
            Self::U64(value) => Unexpected::Unsigned(*value),
            Self::F64(value) => Unexpected::Float(*value),
            Self::String(value) => Unexpected::Str(value),
            Self::Bytes(value) => Unexpected::Bytes(value),
            Self::List(_) => Unexpected::Seq,
            Self::Map(_) => Unexpected::Map,
            _ => Unexpected::Other(self.kind()),
        }
    }
}

/// Describes the value in a few words, such as `the integer 7` or `a list of 3`; of a long text only the beginning is shown.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::List(elements) => write!(f, "a list of {}", elements.len()),
            Self::Map(entries) => write!(f, "a map of {}", entries.len()),
            Self::Error(error) => write!(f, "the error {}", Quoted(&error.message)),
            _ => Found(self.unexpected()).fmt(f),
        }
    }
}
