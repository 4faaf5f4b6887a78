//! Payloads: opaque bytes, and beside them a list of the references they contain.
//!
//! Inside the bytes a reference is an index into the list. So references are counted, checked and released without
//! decoding anything: in a reply that came too late, in a method nobody knows, in a value nobody looked at.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::codec::{self, CowBytes};
use crate::id::{FrameId, LentId};
use crate::limits::NAME_BYTES;

/// What an event, an argument list, a result or an error consists of on the wire.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Payload<'a> {
    /// The encoded value.
    #[serde(borrow)]
    pub bytes: CowBytes<'a>,
    /// What the indices in `bytes` stand for.
    #[serde(borrow)]
    pub references: Vec<Reference<'a>>,
}

impl Payload<'_> {
    /// A payload without references.
    #[must_use]
    pub fn plain(bytes: Vec<u8>) -> Payload<'static> {
        Payload { bytes: CowBytes(Cow::Owned(bytes)), references: Vec::new() }
    }

    /// What it takes on the wire: not less, and not much more.
    #[must_use]
    pub fn weight(&self) -> usize {
        let weights = self.references.iter().map(|reference| reference.copied().saturating_add(REFERENCE_BYTES));
        weights.fold(self.bytes.0.len(), usize::saturating_add)
    }

    /// What its references take in memory, beside their bytes.
    #[must_use]
    pub const fn kept_beside(&self) -> usize {
        self.references.len().saturating_mul(size_of::<Reference<'static>>())
    }

    /// The same payload, borrowing nothing.
    #[must_use]
    pub fn into_owned(self) -> Payload<'static> {
        Payload {
            bytes: CowBytes(Cow::Owned(self.bytes.0.into_owned())),
            references: self.references.into_iter().map(Reference::into_owned).collect(),
        }
    }
}

/// One thing lent to the peer, or one thing of the peer's given back to it. Which of the two, its kind says: objects
/// live in the parent, callbacks and functions in a child.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reference<'a> {
    /// An object of the parent.
    Object(LentId),
    /// An object of the parent, for those who do not know what it is.
    ObjectOf {
        /// The object.
        id: LentId,
        /// The name of its interface, and of those that one inherits from; of more than [`MOST_INTERFACES`] the first are read.
        #[serde(borrow, deserialize_with = "codec::first::<_, _, MOST_INTERFACES>")]
        interfaces: Vec<Cow<'a, str>>,
    },
    /// A callback of the child.
    Callback {
        /// The callback.
        id: LentId,
        /// The frame whose context it ends with, if it is not the loader's.
        frame: Option<FrameId>,
        /// Where in the child's source it was made.
        #[serde(borrow)]
        made_at: Location<'a>,
    },
    /// A function of the child: a callback that returns.
    Function {
        /// The function.
        id: LentId,
        /// The frame whose context it ends with, if it is not the loader's.
        frame: Option<FrameId>,
        /// Where in the child's source it was made.
        #[serde(borrow)]
        made_at: Location<'a>,
    },
    /// A function whose result is known: it is called where it is.
    Returning {
        /// The result, encoded as what it is.
        #[serde(borrow)]
        result: CowBytes<'a>,
        /// Where in the source it was made.
        #[serde(borrow)]
        made_at: Location<'a>,
    },
    /// A buffer of the parent.
    Buffer {
        /// The buffer.
        id: LentId,
        /// How many bytes it has.
        length: u64,
        /// Its bytes, where they are few enough to travel along. Only to the child.
        #[serde(borrow)]
        copy: Option<CowBytes<'a>>,
        /// Where its bytes are in the child's [`BufferView`](crate::link::BufferView), if they are there. Only to the child.
        place: Option<u64>,
    },
}

impl Reference<'_> {
    /// The same reference, borrowing nothing.
    #[must_use]
    pub fn into_owned(self) -> Reference<'static> {
        match self {
            Self::Object(id) => Reference::Object(id),
            Self::ObjectOf { id, interfaces } => {
                let interfaces = interfaces.into_iter().map(|interface| Cow::Owned(interface.into_owned())).collect();
                Reference::ObjectOf { id, interfaces }
            }
            Self::Callback { id, frame, made_at } => Reference::Callback { id, frame, made_at: made_at.into_owned() },
            Self::Function { id, frame, made_at } => Reference::Function { id, frame, made_at: made_at.into_owned() },
            Self::Returning { result, made_at } => Reference::Returning {
                result: CowBytes(Cow::Owned(result.0.into_owned())),
                made_at: made_at.into_owned(),
            },
            Self::Buffer { id, length, copy, place } => {
                let copy = copy.map(|copy| CowBytes(Cow::Owned(copy.0.into_owned())));
                Reference::Buffer { id, length, copy, place }
            }
        }
    }

    /// How many bytes of what it refers to travel along with it.
    #[must_use]
    pub fn copied(&self) -> usize {
        match self {
            Self::Buffer { copy: Some(copy), .. } => copy.0.len(),
            Self::Returning { result, .. } => result.0.len(),
            Self::Buffer { copy: None, .. }
            | Self::Object(_)
            | Self::ObjectOf { .. }
            | Self::Callback { .. }
            | Self::Function { .. } => 0,
        }
    }

    /// What the reference is to, as errors name it.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Object(_) | Self::ObjectOf { .. } => "object",
            Self::Callback { .. } => "callback",
            Self::Function { .. } | Self::Returning { .. } => "function",
            Self::Buffer { .. } => "buffer",
        }
    }
}

/// How many interfaces of an object are read: an empty name takes one byte, and many times that when it has been read.
pub const MOST_INTERFACES: usize = 64;

/// More than a reference takes, its place in the source included, beside what is copied with it.
const REFERENCE_BYTES: usize = 512;

/// A place in source code.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Location<'a> {
    /// The file, as the compiler was told its name.
    #[serde(borrow)]
    pub file: Cow<'a, str>,
    /// The line, from 1.
    pub line: u32,
    /// The column, from 1.
    pub column: u32,
}

impl Location<'_> {
    /// The same place, as long as a name may be: a peer says it, and it is kept. Of a longer file, the end.
    #[must_use]
    pub fn shortened(mut self) -> Self {
        if self.file.len() > NAME_BYTES {
            let start = self.file.len() - NAME_BYTES;
            let end = self.file.char_indices().find(|(at, _)| *at >= start).and_then(|(at, _)| self.file.get(at..));
            self.file = Cow::Owned(end.unwrap_or_default().to_owned());
        }
        self
    }

    /// The same place, borrowing nothing.
    #[must_use]
    pub fn into_owned(self) -> Location<'static> {
        Location { file: Cow::Owned(self.file.into_owned()), line: self.line, column: self.column }
    }
}

impl From<&'static std::panic::Location<'static>> for Location<'static> {
    fn from(location: &'static std::panic::Location<'static>) -> Self {
        Self { file: Cow::Borrowed(location.file()), line: location.line(), column: location.column() }
    }
}

impl fmt::Display for Location<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

/// How the argument of a call back is encoded: both handles know its type, or one of them may not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Encoding {
    /// The encoding of the type itself.
    Typed,
    /// A self-describing [`Value`](crate::value::Value).
    Dynamic,
}

/// How the bytes of a payload are to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Form {
    /// A self-describing [`Value`](crate::value::Value).
    Dynamic,
    /// The encoding of the type with this fingerprint.
    Typed(Fingerprint),
}

/// A hash of names and types as they are written in source code. Two sides whose fingerprints are equal encode and
/// decode the same type, as long as the fields of a named type change only together with the application's version.
///
/// On the wire it is eight bytes, the lowest first: as a number it would be longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Fingerprint(pub u64);

impl Serialize for Fingerprint {
    #[inline]
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.to_le_bytes().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Fingerprint {
    #[inline]
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Deserialize::deserialize(deserializer).map(u64::from_le_bytes).map(Self)
    }
}

impl Fingerprint {
    /// The fingerprint of `text`: 64-bit FNV-1a of the byte 0xff and the text.
    #[must_use]
    pub const fn of(text: &str) -> Self {
        Self(0xcbf2_9ce4_8422_2325).and(text)
    }

    /// The fingerprint of what this one is of, and `text`.
    #[must_use]
    pub const fn and(self, text: &str) -> Self {
        // A byte that no text has keeps them apart.
        let mut hash = (self.0 ^ 0xff).wrapping_mul(0x0000_0100_0000_01b3);
        let mut rest = text.as_bytes();
        while let [byte, tail @ ..] = rest {
            hash = (hash ^ *byte as u64).wrapping_mul(0x0000_0100_0000_01b3);
            rest = tail;
        }
        Self(hash)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_long_file_tells_most() {
        let place = |file: String| Location { file: file.into(), line: 1, column: 2 };
        let fits = place("x".repeat(NAME_BYTES));
        assert_eq!(fits.clone().shortened(), fits);
        // The first character that may be there is cut in two.
        let long = place(format!("{}\u{e9}{}.rs", "x".repeat(5000), "y".repeat(NAME_BYTES - 4)));
        assert_eq!(long.shortened(), place(format!("{}.rs", "y".repeat(NAME_BYTES - 4))));
    }
}
