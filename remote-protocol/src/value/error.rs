//! Errors as values, and the errors of making and taking values.

use std::{error::Error, fmt};

use serde::{
    Deserialize, Serialize,
    de::{self, Expected, Unexpected},
    ser,
};

use crate::codec::reason;

/// An error that happened elsewhere, as much of it as can be told.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorValue {
    /// What kind of error it is, by a name that both sides know.
    pub kind: String,
    /// What went wrong.
    pub message: String,
    /// The messages of what caused it, the direct cause first.
    pub causes: Vec<String>,
    /// The method that failed, if there was one.
    pub method: Option<String>,
}

impl ErrorValue {
    /// An error without causes, of no particular method.
    #[must_use]
    pub fn new(kind: impl Into<String>, message: impl Into<String>) -> Self {
        Self { kind: kind.into(), message: message.into(), ..Self::default() }
    }

    /// An error of this kind with the messages of `error` and of all its sources.
    #[must_use]
    pub fn from_error(kind: impl Into<String>, error: &(dyn Error + 'static)) -> Self {
        // A source that is its own source would never end.
        let causes = std::iter::successors(error.source(), |cause: &&dyn Error| (*cause).source()).take(CAUSES);
        Self { causes: causes.map(ToString::to_string).collect(), ..Self::new(kind, error.to_string()) }
    }
}

impl fmt::Display for ErrorValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for ErrorValue {}

/// Why a value could not be made of something, or something not of a value.
#[derive(thiserror::Error, Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ValueError {
    /// The value is something else than what was asked for.
    #[error("expected {expected}, found {found}")]
    Mismatch {
        /// What was asked for.
        expected: Box<str>,
        /// What the value is.
        found: Box<str>,
    },
    /// The value nests too deep; perhaps it contains itself.
    #[error("the value nests more than {limit} levels deep")]
    TooDeep {
        /// How many levels there may be.
        limit: u32,
    },
    /// The reason of the type that was to become a value, or to be made of one.
    #[error("{0}")]
    Refused(Box<str>),
}

impl ValueError {
    #[cold]
    pub(crate) fn mismatch(expected: impl fmt::Display, found: impl fmt::Display) -> Self {
        Self::Mismatch { expected: reason::text(expected), found: reason::text(found) }
    }
}

impl ser::Error for ValueError {
    #[cold]
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::Refused(reason::text(message))
    }
}

impl de::Error for ValueError {
    #[cold]
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::Refused(reason::text(message))
    }

    #[cold]
    fn invalid_type(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::mismatch(expected, reason::Found(found))
    }

    #[cold]
    fn invalid_value(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::mismatch(expected, reason::Found(found))
    }

    #[cold]
    fn invalid_length(found: usize, expected: &dyn Expected) -> Self {
        Self::mismatch(expected, format_args!("{found} elements"))
    }

    #[cold]
    fn unknown_variant(found: &str, expected: &'static [&'static str]) -> Self {
        let expected = format_args!("one of the variants {}", expected.join(", "));
        Self::mismatch(expected, reason::Quoted(found))
    }

    #[cold]
    fn unknown_field(found: &str, expected: &'static [&'static str]) -> Self {
        Self::mismatch(format_args!("one of the fields {}", expected.join(", ")), reason::Quoted(found))
    }
}

const CAUSES: usize = 16;
