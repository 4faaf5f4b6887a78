//! From values to bytes.

use std::fmt::{Display, Write};

use postcard::ser_flavors::Flavor;
use serde::ser::{self, Serialize, Serializer};

use crate::codec::{
    LEVELS,
    encode::parts::{Counted, Fields},
    reason,
};

mod parts;

/// Appends the encoding of `value` to `buffer`.
///
/// # Errors
///
/// If the value is too deep, has no encoding, or refuses to be encoded. `buffer` is then as it was before, as it is if the
/// value panics.
#[inline]
pub fn encode<T: Serialize + ?Sized>(value: &T, buffer: &mut Vec<u8>) -> Result<(), EncodeError> {
    let start = buffer.len();
    let mut output = Output { start, end: None, buffer };
    let mut encoder =
        Encoder { postcard: postcard::Serializer { output: Append(output.buffer) }, elements: 0, levels: LEVELS };
    value.serialize(&mut encoder).map_err(|failure| *failure.0)?;
    let elements = encoder.elements;
    let end = output.buffer.len();
    let written = end.saturating_sub(start);
    if elements > written {
        return Err(EncodeError::TooManyElements { limit: written });
    }
    output.end = Some(end);
    Ok(())
}

/// Why a value could not be encoded.
#[derive(thiserror::Error, Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum EncodeError {
    /// The value nests deeper than any receiver would follow; perhaps it contains itself.
    #[error("the value nests more than {limit} levels deep")]
    TooDeep {
        /// How many levels there may be.
        limit: u32,
    },
    /// There are more elements than encoded bytes, as in a list of units.
    #[error("the value has more elements than its {limit} encoded bytes")]
    TooManyElements {
        /// How many elements there may be.
        limit: usize,
    },
    /// A list or map did not say how long it is.
    #[error("expected a list or map of known length, found one of unknown length")]
    UnknownLength,
    /// A list or map did not have the length that it said.
    #[error("expected a list or map of {announced} elements, found {found}")]
    WrongLength {
        /// The length it said.
        announced: usize,
        /// The length it had.
        found: usize,
    },
    /// A field was left out, but the receiver will expect it.
    #[error("expected the field `{0}`, found it skipped")]
    SkippedField(&'static str),
    /// The value's own reason.
    #[error("{0}")]
    Refused(Box<str>),
}

/// What was written is taken back unless `end` says that it is complete.
struct Output<'a> {
    start: usize,
    end: Option<usize>,
    buffer: &'a mut Vec<u8>,
}

impl Drop for Output<'_> {
    #[inline]
    fn drop(&mut self) {
        self.buffer.truncate(self.end.unwrap_or(self.start));
    }
}

pub(crate) struct Append<'a>(&'a mut Vec<u8>);

impl Flavor for Append<'_> {
    type Output = ();

    #[inline]
    fn try_push(&mut self, byte: u8) -> postcard::Result<()> {
        self.0.push(byte);
        Ok(())
    }

    #[inline]
    fn try_extend(&mut self, bytes: &[u8]) -> postcard::Result<()> {
        self.0.extend_from_slice(bytes);
        Ok(())
    }

    #[inline]
    fn finalize(self) -> postcard::Result<()> {
        Ok(())
    }
}

/// Postcard writes what has no parts, and the lengths and tags of what has; the parts come back here, with their errors.
pub(crate) struct Encoder<'a> {
    postcard: postcard::Serializer<Append<'a>>,
    elements: usize,
    /// How many more may be entered.
    levels: u32,
}

impl<'a> Encoder<'a> {
    /// Returns what `leave` takes.
    #[inline]
    fn enter(&mut self) -> Result<u32> {
        let outside = self.levels;
        match outside.checked_sub(1) {
            Some(levels) => self.levels = levels,
            None => return Err(EncodeError::TooDeep { limit: LEVELS }.into()),
        }
        Ok(outside)
    }

    #[inline]
    fn leave(&mut self, outside: u32) {
        self.levels = outside;
    }

    #[inline]
    fn counted<'e>(&'e mut self, len: Option<usize>) -> Result<Counted<'e, 'a>> {
        let Some(len) = len else {
            return Err(EncodeError::UnknownLength.into());
        };
        let outside = self.enter()?;
        self.elements = self.elements.saturating_add(len);
        self.postcard.serialize_seq(Some(len))?;
        Ok(Counted { encoder: self, announced: len, found: 0, outside })
    }

    #[inline]
    fn fields<'e>(&'e mut self) -> Fields<'e, 'a> {
        let outside = self.levels;
        Fields { encoder: self, outside }
    }

    #[inline]
    fn variant<'e>(&'e mut self, index: u32) -> Result<Fields<'e, 'a>> {
        let outside = self.enter()?;
        self.postcard.serialize_u32(index)?;
        Ok(Fields { encoder: self, outside })
    }
}

macro_rules! by_postcard {
    ($($method:ident($type:ty))*) => {
        $(#[inline]
        fn $method(self, value: $type) -> Result<()> {
            Ok(self.postcard.$method(value)?)
        })*
    };
}

impl<'e, 'a> Serializer for &'e mut Encoder<'a> {
    type Ok = ();
    type Error = Failure;
    type SerializeSeq = Counted<'e, 'a>;
    type SerializeMap = Counted<'e, 'a>;
    type SerializeTuple = Fields<'e, 'a>;
    type SerializeTupleStruct = Fields<'e, 'a>;
    type SerializeTupleVariant = Fields<'e, 'a>;
    type SerializeStruct = Fields<'e, 'a>;
    type SerializeStructVariant = Fields<'e, 'a>;

    by_postcard! {
        serialize_bool(bool)
        serialize_i8(i8) serialize_i16(i16) serialize_i32(i32) serialize_i64(i64) serialize_i128(i128)
        serialize_u8(u8) serialize_u16(u16) serialize_u32(u32) serialize_u64(u64) serialize_u128(u128)
        serialize_f32(f32) serialize_f64(f64) serialize_char(char)
        serialize_str(&str) serialize_bytes(&[u8])
    }

    #[inline]
    fn is_human_readable(&self) -> bool {
        false
    }

    #[inline]
    fn serialize_none(self) -> Result<()> {
        Ok(self.postcard.serialize_none()?)
    }

    #[inline]
    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<()> {
        let outside = self.enter()?;
        self.postcard.serialize_some(&())?;
        value.serialize(&mut *self)?;
        self.leave(outside);
        Ok(())
    }

    #[inline]
    fn serialize_unit(self) -> Result<()> {
        Ok(())
    }

    #[inline]
    fn serialize_unit_struct(self, _: &'static str) -> Result<()> {
        Ok(())
    }

    #[inline]
    fn serialize_unit_variant(self, _: &'static str, index: u32, _: &'static str) -> Result<()> {
        let variant = self.variant(index)?;
        variant.encoder.leave(variant.outside);
        Ok(())
    }

    #[inline]
    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Result<()> {
        value.serialize(self)
    }

    #[inline]
    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        index: u32,
        _: &'static str,
        value: &T,
    ) -> Result<()> {
        let variant = self.variant(index)?;
        value.serialize(&mut *variant.encoder)?;
        variant.encoder.leave(variant.outside);
        Ok(())
    }

    #[inline]
    fn serialize_seq(self, len: Option<usize>) -> Result<Counted<'e, 'a>> {
        self.counted(len)
    }

    #[inline]
    fn serialize_map(self, len: Option<usize>) -> Result<Counted<'e, 'a>> {
        self.counted(len)
    }

    #[inline]
    fn serialize_tuple(self, _: usize) -> Result<Fields<'e, 'a>> {
        Ok(self.fields())
    }

    #[inline]
    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Fields<'e, 'a>> {
        Ok(self.fields())
    }

    #[inline]
    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Fields<'e, 'a>> {
        Ok(self.fields())
    }

    #[inline]
    fn serialize_tuple_variant(self, _: &'static str, index: u32, _: &'static str, _: usize) -> Result<Fields<'e, 'a>> {
        self.variant(index)
    }

    #[inline]
    fn serialize_struct_variant(
        self,
        _: &'static str,
        index: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Fields<'e, 'a>> {
        self.variant(index)
    }

    /// Written once and then moved behind its length, for two runs of a `Display` need not write the same.
    fn collect_str<T: Display + ?Sized>(self, value: &T) -> Result<()> {
        let start = self.postcard.output.0.len();
        write!(Text(self.postcard.output.0), "{value}")
            .map_err(|_| <Failure as ser::Error>::custom("expected a text, found one that cannot be formatted"))?;
        let end = self.postcard.output.0.len();
        self.postcard.serialize_u64(end.saturating_sub(start) as u64)?;
        let prefix = self.postcard.output.0.len().saturating_sub(end);
        if let Some(written) = self.postcard.output.0.get_mut(start..) {
            written.rotate_right(prefix);
        }
        Ok(())
    }
}

struct Text<'a>(&'a mut Vec<u8>);

impl Write for Text<'_> {
    fn write_str(&mut self, piece: &str) -> std::fmt::Result {
        self.0.extend_from_slice(piece.as_bytes());
        Ok(())
    }
}

type Result<T, E = Failure> = std::result::Result<T, E>;

/// One word, for every step of encoding returns it.
#[derive(thiserror::Error, Debug)]
#[error(transparent)]
pub(crate) struct Failure(Box<EncodeError>);

impl From<EncodeError> for Failure {
    #[cold]
    fn from(error: EncodeError) -> Self {
        Self(Box::new(error))
    }
}

/// Appending to a buffer cannot fail, so these are of no kind of their own.
impl From<postcard::Error> for Failure {
    #[cold]
    fn from(error: postcard::Error) -> Self {
        EncodeError::Refused(reason::text(error)).into()
    }
}

impl ser::Error for Failure {
    #[cold]
    fn custom<T: Display>(message: T) -> Self {
        EncodeError::Refused(reason::text(message)).into()
    }
}
