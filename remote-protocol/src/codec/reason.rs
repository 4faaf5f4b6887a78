//! The texts of errors: whole sentences of a bounded length, whatever a peer put into the data they quote.

use std::fmt::{self, Write};

use serde::de::{Expected, Unexpected};

/// The text of `message`, cut off where it becomes too long to be of use.
#[cold]
pub(crate) fn text(message: impl fmt::Display) -> Box<str> {
    let mut text = Cut(String::new());
    // An error says that the text was cut off, or that a `Display` gave up; what there is of it is kept in both cases.
    let _ = write!(text, "{message}");
    text.0.into_boxed_str()
}

/// `expected …, found …`, as a text of its own.
#[cold]
pub(crate) fn mismatch(expected: &dyn Expected, found: Unexpected<'_>) -> Box<str> {
    text(format_args!("expected {expected}, found {}", Found(found)))
}

/// Describes what was found instead of what was expected.
pub(crate) struct Found<'a>(pub(crate) Unexpected<'a>);

impl fmt::Display for Found<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Unexpected::Bool(value) => write!(f, "the boolean {value}"),
            Unexpected::Unsigned(value) => write!(f, "the integer {value}"),
            Unexpected::Signed(value) => write!(f, "the integer {value}"),
            // Not `{value}`, which writes 1e300 with all its zeros.
            Unexpected::Float(value) => write!(f, "the number {value:?}"),
            Unexpected::Char(value) => write!(f, "the character {value:?}"),
            Unexpected::Str(value) => write!(f, "the string {}", Quoted(value)),
            Unexpected::Bytes(value) => write!(f, "{} bytes", value.len()),
            Unexpected::Seq => f.write_str("a list"),
            Unexpected::Map => f.write_str("a map"),
            Unexpected::Other(what) => f.write_str(what),
            other => other.fmt(f),
        }
    }
}

/// The beginning of a text, in quotes and without control characters.
pub(crate) struct Quoted<'a>(pub(crate) &'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (shown, rest) = match self.0.char_indices().nth(QUOTED_CHARS) {
            Some((end, _)) => (self.0.get(..end).unwrap_or_default(), "…"),
            None => (self.0, ""),
        };
        write!(f, "{shown:?}{rest}")
    }
}

struct Cut(String);

impl Write for Cut {
    fn write_str(&mut self, piece: &str) -> fmt::Result {
        let room = TEXT_BYTES.saturating_sub(self.0.len());
        if piece.len() <= room {
            self.0.push_str(piece);
            return Ok(());
        }
        self.0.push_str(piece.get(..piece.floor_char_boundary(room)).unwrap_or_default());
        self.0.push('…');
        Err(fmt::Error)
    }
}

const QUOTED_CHARS: usize = 32;

const TEXT_BYTES: usize = 1024;
