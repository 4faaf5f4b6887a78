//! From bytes that cannot be trusted to values.

use std::fmt::Display;

use postcard::de_flavors::Slice;
use serde::de::{self, Deserialize, Deserializer, Expected, Unexpected, Visitor};

use crate::codec::{LEVELS, decode::parts::Elements, reason};

mod parts;

/// Decodes the whole of `bytes`. What the value can borrow, it borrows from them.
///
/// # Errors
///
/// If the bytes are not the encoding of a `T`, or exceed the budgets of this module.
#[inline]
pub fn decode<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, DecodeError> {
    let mut decoder = Decoder {
        postcard: postcard::Deserializer::from_bytes(bytes),
        bytes: bytes.len(),
        elements: bytes.len(),
        levels: LEVELS,
    };
    let value = T::deserialize(&mut decoder).map_err(|failure| *failure.0)?;
    match decoder.postcard.finalize() {
        Ok([]) => Ok(value),
        Ok(rest) => Err(DecodeError::Trailing { left: rest.len() }),
        Err(error) => Err(*Failure::from(error).0),
    }
}

/// Why bytes could not be decoded.
#[derive(thiserror::Error, Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum DecodeError {
    /// The bytes end in the middle of the value.
    #[error("expected more bytes, found the end")]
    Truncated,
    /// The bytes go on after the value.
    #[error("expected the end, found {left} more bytes")]
    Trailing {
        /// How many bytes there are after the value.
        left: usize,
    },
    /// The value nests too deep.
    #[error("the value nests more than {limit} levels deep")]
    TooDeep {
        /// How many levels there may be.
        limit: u32,
    },
    /// Longer lists or maps were announced than the bytes could hold.
    #[error("the value has more elements than its {limit} encoded bytes")]
    TooManyElements {
        /// How many elements there may be.
        limit: usize,
    },
    /// The type wants to be told what comes next, which the bytes do not say.
    #[error("expected a type that knows what comes next, found one that asks for {0}")]
    NotSelfDescribing(&'static str),
    /// The bytes mean something else than was expected, or something that the type refuses.
    #[error("{0}")]
    Invalid(Box<str>),
}

/// Postcard reads what has no parts, and the lengths and tags of what has; the parts are read here, with their errors.
pub(crate) struct Decoder<'de> {
    postcard: postcard::Deserializer<'de, Slice<'de>>,
    /// How many there were.
    bytes: usize,
    /// How many more there may be.
    elements: usize,
    /// How many more may be entered.
    levels: u32,
}

impl<'de> Decoder<'de> {
    #[inline]
    fn read<T: Deserialize<'de>>(&mut self) -> Result<T> {
        T::deserialize(&mut self.postcard).map_err(Failure::from)
    }

    /// Runs `inside` one level down.
    #[inline]
    fn enter<T>(&mut self, inside: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        let outside = self.levels;
        match outside.checked_sub(1) {
            Some(levels) => self.levels = levels,
            None => return Err(DecodeError::TooDeep { limit: LEVELS }.into()),
        }
        let value = inside(self)?;
        self.levels = outside;
        Ok(value)
    }

    /// Reads and pays for the length of a list or a map.
    #[inline]
    fn len(&mut self) -> Result<usize> {
        let len = self.read()?;
        match self.elements.checked_sub(len) {
            Some(elements) => self.elements = elements,
            None => return Err(DecodeError::TooManyElements { limit: self.bytes }.into()),
        }
        Ok(len)
    }

    #[inline]
    fn fields<V: Visitor<'de>>(&mut self, len: usize, visitor: V) -> Result<V::Value> {
        visitor.visit_seq(Elements { decoder: self, left: len })
    }
}

macro_rules! by_postcard {
    ($($method:ident $visit:ident($type:ty))*) => {
        $(#[inline]
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
            visitor.$visit(self.read::<$type>()?)
        })*
    };
}

macro_rules! not_self_describing {
    ($($method:ident($what:literal))*) => {
        $(fn $method<V: Visitor<'de>>(self, _: V) -> Result<V::Value> {
            Err(DecodeError::NotSelfDescribing($what).into())
        })*
    };
}

impl<'de> Deserializer<'de> for &mut Decoder<'de> {
    type Error = Failure;

    by_postcard! {
        deserialize_bool visit_bool(bool)
        deserialize_i8 visit_i8(i8)
        deserialize_i16 visit_i16(i16)
        deserialize_i32 visit_i32(i32)
        deserialize_i64 visit_i64(i64)
        deserialize_i128 visit_i128(i128)
        deserialize_u8 visit_u8(u8)
        deserialize_u16 visit_u16(u16)
        deserialize_u32 visit_u32(u32)
        deserialize_u64 visit_u64(u64)
        deserialize_u128 visit_u128(u128)
        deserialize_f32 visit_f32(f32)
        deserialize_f64 visit_f64(f64)
        deserialize_char visit_char(char)
        deserialize_str visit_borrowed_str(&'de str)
        deserialize_string visit_borrowed_str(&'de str)
        deserialize_bytes visit_borrowed_bytes(&'de [u8])
        deserialize_byte_buf visit_borrowed_bytes(&'de [u8])
    }

    not_self_describing! {
        deserialize_any("any value")
        deserialize_ignored_any("a value to ignore")
        deserialize_identifier("a name")
    }

    #[inline]
    fn is_human_readable(&self) -> bool {
        false
    }

    #[inline]
    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        match self.read::<Option<()>>()? {
            Some(()) => self.enter(|decoder| visitor.visit_some(decoder)),
            None => visitor.visit_none(),
        }
    }

    #[inline]
    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        visitor.visit_unit()
    }

    #[inline]
    fn deserialize_unit_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value> {
        visitor.visit_unit()
    }

    #[inline]
    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value> {
        visitor.visit_newtype_struct(self)
    }

    #[inline]
    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        let left = self.len()?;
        self.enter(|decoder| {
            let mut elements = Elements { decoder, left };
            let value = visitor.visit_seq(&mut elements)?;
            elements.close(left)?;
            Ok(value)
        })
    }

    #[inline]
    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        let left = self.len()?;
        self.enter(|decoder| {
            let mut elements = Elements { decoder, left };
            let value = visitor.visit_map(&mut elements)?;
            elements.close(left)?;
            Ok(value)
        })
    }

    #[inline]
    fn deserialize_tuple<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value> {
        self.fields(len, visitor)
    }

    #[inline]
    fn deserialize_tuple_struct<V: Visitor<'de>>(self, _: &'static str, len: usize, visitor: V) -> Result<V::Value> {
        self.fields(len, visitor)
    }

    #[inline]
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value> {
        self.fields(fields.len(), visitor)
    }

    #[inline]
    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value> {
        self.enter(|decoder| visitor.visit_enum(decoder))
    }
}

type Result<T, E = Failure> = std::result::Result<T, E>;

/// One word, for every step of decoding returns it.
#[derive(thiserror::Error, Debug)]
#[error(transparent)]
pub(crate) struct Failure(Box<DecodeError>);

impl From<DecodeError> for Failure {
    #[cold]
    fn from(error: DecodeError) -> Self {
        Self(Box::new(error))
    }
}

impl From<postcard::Error> for Failure {
    #[cold]
    fn from(error: postcard::Error) -> Self {
        let reason = match error {
            postcard::Error::DeserializeUnexpectedEnd => return DecodeError::Truncated.into(),
            postcard::Error::DeserializeBadVarint => "expected an integer, found one that is too large",
            postcard::Error::DeserializeBadBool => "expected a boolean, found neither 0 nor 1",
            postcard::Error::DeserializeBadOption => "expected an option, found neither 0 nor 1",
            postcard::Error::DeserializeBadChar => "expected a character, found something else",
            postcard::Error::DeserializeBadUtf8 => "expected text in UTF-8, found other bytes",
            other => return DecodeError::Invalid(reason::text(other)).into(),
        };
        DecodeError::Invalid(reason.into()).into()
    }
}

impl de::Error for Failure {
    #[cold]
    fn custom<T: Display>(message: T) -> Self {
        DecodeError::Invalid(reason::text(message)).into()
    }

    #[cold]
    fn invalid_type(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        DecodeError::Invalid(reason::mismatch(expected, found)).into()
    }

    #[cold]
    fn invalid_value(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        DecodeError::Invalid(reason::mismatch(expected, found)).into()
    }

    #[cold]
    fn invalid_length(found: usize, expected: &dyn Expected) -> Self {
        DecodeError::Invalid(reason::text(format_args!("expected {expected}, found {found} elements"))).into()
    }
}
